import type { Drain } from '../../../api/schema/index.ts';

/** Why something waits or was declined, and the nearest thing that would do. */
export function Refusals({ of }: { of: Drain['waiting'] }) {
  if (of.length === 0) return null;
  return (
    <ul class="refusals">
      {of.map((refusal) => (
        <li key={`${refusal.on} ${refusal.subject} ${refusal.message}`}>
          <strong>
            {refusal.kind === 'waiting' ? 'Waits for' : 'Refused on'} {refusal.on.replace('-', ' ')}
          </strong>{' '}
          {refusal.message}
          {refusal.nearest && <span class="nearest">→ {refusal.nearest}</span>}
        </li>
      ))}
    </ul>
  );
}
