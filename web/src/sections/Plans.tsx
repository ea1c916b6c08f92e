import type { PlanResource } from '../../../api/schema/index.ts';
import { Ago } from '../parts/Ago.tsx';
import { Pill } from '../parts/Pill.tsx';
import { Refusals } from '../parts/Refusals.tsx';
import { Section } from '../parts/Section.tsx';
import { plans } from '../state/cluster.ts';
import { useResource } from '../state/use-resource.ts';
import { usdPerHour } from '../view/format.ts';
import { outlookText } from '../view/outlook.ts';
import { planTone } from '../view/tones.ts';

/** What the planner decided lately, with its reasons. */
export function Plans() {
  return (
    <Section id="plans" title="Placement history" note="plans, newest first" of={useResource(plans)} empty="Nothing has been planned yet.">
      {(items) => (
        <ul class="card lines">
          {items.map((plan, i) => (
            <li key={plan.id}>
              <PlanItem plan={plan} before={items.slice(i + 1).find(isApplied)} />
            </li>
          ))}
        </ul>
      )}
    </Section>
  );
}

const isApplied = ({ state }: PlanResource) => state === 'applied' || state === 'trimmed';

interface PlanItemProps {
  plan: PlanResource;
  /** The newest plan before it that was applied. */
  before: PlanResource | undefined;
}

function PlanItem({ plan: { id, state, moves, report, createdAt }, before: previous }: PlanItemProps) {
  const { costUsdPerHourBefore: before, costUsdPerHourAfter: after } = report;
  return (
    <details class="plan">
      <summary>
        <span class="plan-summary">{report.summary}</span>
        <Pill tone={planTone(state)}>{state}</Pill>
        <span class="quiet">
          <Ago time={createdAt} />
        </span>
      </summary>
      <Refusals of={report.waiting} />
      {moves.length > 0 && (
        <ol class="moves">
          {moves.map((move) => (
            <li key={move.replicaId} class={`move-${move.kind}`}>
              {move.kind === 'place' ? (
                <>
                  Place <code>{move.replicaId}</code> of {move.deployment} on {move.host} [{move.accelerators.join(' ')}]
                  {move.replaces && (
                    <>
                      {' '}
                      for <code>{move.replaces}</code>
                    </>
                  )}
                </>
              ) : (
                <>
                  Retire <code>{move.replicaId}</code> of {move.deployment} from {move.host}
                  {move.after && ` once ${move.after.join(', ')} serve`}
                </>
              )}
              <span class="quiet">: {move.reason}</span>
            </li>
          ))}
        </ol>
      )}
      {report.deployments && report.deployments.length > 0 && (
        <ul class="reasons">
          {report.deployments.map((outlook) => (
            <li key={outlook.deployment}>{outlookText(outlook)}</li>
          ))}
        </ul>
      )}
      {report.reasons.length > 0 && (
        <ul class="reasons">
          {report.reasons.map((reason) => (
            <li key={reason}>{reason}</li>
          ))}
        </ul>
      )}
      <p class="quiet">
        {before === after ? `Costs ${usdPerHour(after)}` : `Costs ${usdPerHour(before)} before, ${usdPerHour(after)} after`} · plan{' '}
        <code>{id}</code>
        {previous && (
          <>
            {' · '}
            <a href={`/placement?${new URLSearchParams({ from: previous.id, to: id })}`}>What changed</a>
          </>
        )}
      </p>
    </details>
  );
}
