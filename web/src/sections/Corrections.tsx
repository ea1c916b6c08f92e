import type { CorrectionResource } from '../../../api/schema/index.ts';
import { Ago } from '../parts/Ago.tsx';
import { Pill } from '../parts/Pill.tsx';
import { Section } from '../parts/Section.tsx';
import { corrections } from '../state/cluster.ts';
import { useResource } from '../state/use-resource.ts';
import { correctionTone, effectOf, evidenceOf } from '../view/corrections.ts';

/** What monitoring noticed and mended, on what evidence, and what came of it. */
export function Corrections() {
  return (
    <Section
      id="corrections"
      title="Corrections"
      note="newest first"
      of={useResource(corrections)}
      empty="Nothing had to be corrected yet: predictions and outcomes agree."
    >
      {(items) => (
        <ul class="card lines">
          {items.map((correction) => (
            <li key={correction.id}>
              <Correction correction={correction} />
            </li>
          ))}
        </ul>
      )}
    </Section>
  );
}

function Correction({ correction }: { correction: CorrectionResource }) {
  const { kind, subject, action, state, createdAt, undoneAt, undoReason } = correction;
  const { message, figures } = evidenceOf(correction);
  const effect = effectOf(correction);
  return (
    <article aria-label={`Correction ${correction.id}, ${state}`}>
      <div class="card-head">
        <Pill tone={correctionTone(state)}>{state}</Pill>
        <strong>{subject}</strong>
        <span>{action}</span>
        <span class="quiet push">
          {kind} · <Ago time={createdAt} />
        </span>
      </div>
      {message && <p class="reason">{message}</p>}
      {figures.length > 0 && <p class="quiet under">{figures.join(' · ')}</p>}
      {effect && (
        <p class="quiet under" title="Share of requests within their SLO, before it and while it was judged">
          SLO attainment {effect}
        </p>
      )}
      {undoReason && (
        <p class="reason">
          {state === 'failed' ? 'Failed' : 'Undone'}
          {undoneAt && (
            <>
              {' '}
              <Ago time={undoneAt} />
            </>
          )}
          : {undoReason}
        </p>
      )}
    </article>
  );
}
