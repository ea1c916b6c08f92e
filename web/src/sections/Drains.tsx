import type { Drain, HostResource } from '../../../api/schema/index.ts';
import { Pill } from '../parts/Pill.tsx';
import { Refusals } from '../parts/Refusals.tsx';
import { Section } from '../parts/Section.tsx';
import { drains, hosts, info } from '../state/cluster.ts';
import { useResource } from '../state/use-resource.ts';
import { drainTone, type KnownDrain, knownDrains } from '../view/drains.ts';
import { duration } from '../view/format.ts';
import { workflowUrl } from '../view/links.ts';

/** Hosts on their way out, and the receipts of those that left. */
export function Drains() {
  const { value: underway } = useResource<Drain[]>(drains);
  const { value: fleet, error } = useResource<HostResource[]>(hosts);
  const known = fleet === null || underway === null ? null : knownDrains(underway, fleet);
  return (
    <Section id="drains" title="Drains" of={{ value: known, error }} empty="No host has been drained yet.">
      {(items) => (
        <ul class="card lines">
          {items.map((drain) => (
            <li key={drain.host}>
              <DrainItem drain={drain} />
            </li>
          ))}
        </ul>
      )}
    </Section>
  );
}

function DrainItem({ drain }: { drain: KnownDrain }) {
  const { value: about } = useResource(info);
  const temporal = drain.workflowId === null ? null : workflowUrl(about?.temporalUiUrl, drain.workflowId);
  const { receipt } = drain;
  return (
    <article class="drain">
      <p class="row">
        <strong>{drain.host}</strong>
        <Pill tone={drainTone(drain.phase)}>{drain.phase}</Pill>
        {temporal && (
          <a class="push" href={temporal}>
            In Temporal
          </a>
        )}
      </p>
      {drain.reason && !receipt && <p class="reason">{drain.reason}</p>}
      <Refusals of={drain.waiting} />
      {drain.remaining.length > 0 && (
        <p class="quiet">Still there: {drain.remaining.map((id) => `${id} (${openOn(drain, id)} requests open)`).join(', ')}</p>
      )}
      {receipt && (
        <dl class="facts">
          <div>
            <dt>Took</dt>
            <dd>{duration(receipt.seconds)}</dd>
          </div>
          <div>
            <dt>Replicas left</dt>
            <dd>{receipt.moved.length}</dd>
          </div>
          <div>
            <dt>Requests finished</dt>
            <dd>{receipt.requestsFinished}</dd>
          </div>
          <div>
            <dt>Requests dropped</dt>
            <dd class={receipt.requestsDropped > 0 ? 'bad' : 'good'}>{receipt.requestsDropped}</dd>
          </div>
        </dl>
      )}
      {receipt && receipt.moved.length > 0 && (
        <ul class="reasons">
          {receipt.moved.map((move) => (
            <li key={move.replicaId}>
              <code>{move.replicaId}</code>{' '}
              {move.replacedBy ? (
                <>
                  replaced by <code>{move.replacedBy}</code> on {move.toHost}
                </>
              ) : (
                'was not needed any more'
              )}
              , {duration(move.seconds)}
            </li>
          ))}
        </ul>
      )}
    </article>
  );
}

function openOn({ open }: KnownDrain, replicaId: string): number {
  return open.find((o) => o.replicaId === replicaId)?.open ?? 0;
}
