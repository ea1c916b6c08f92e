import type { AcceleratorBlock } from '../view/fleet-map.ts';
import { replicaLabel } from '../view/tones.ts';

/** Accelerators that one replica holds, drawn as one piece; or a free one. */
export function Block({ block, series }: { block: AcceleratorBlock; series: (deployment: string) => number }) {
  const { replica, count, first, kind } = block;
  if (!replica) {
    return (
      <li class="block block-free" title={`${kind}, index ${first}: free`}>
        <span class="unseen">free</span>
      </li>
    );
  }
  const { label, tone } = replicaLabel(replica);
  const settled = tone === 'good';
  const where = count > 1 ? `indexes ${first} to ${first + count - 1}` : `index ${first}`;
  return (
    <li
      class={`block series-${series(replica.deployment)} block-${tone}`}
      style={{ gridColumn: `span ${count}` }}
      title={`${replica.id}: ${replica.deployment} revision ${replica.revision}, ${label}; ${kind} ${where}`}
    >
      <span class="block-name">{replica.deployment}</span>
      <span class="block-note">{settled ? `r${replica.revision}${count > 1 ? ` · TP ${replica.tensorParallel}` : ''}` : label}</span>
    </li>
  );
}
