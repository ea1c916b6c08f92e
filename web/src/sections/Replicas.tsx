import type { ReplicaResource } from '../../../api/schema/index.ts';
import { Ago } from '../parts/Ago.tsx';
import { Pill, SimulatedBadge } from '../parts/Pill.tsx';
import { Section } from '../parts/Section.tsx';
import { endedReplicas, replicas } from '../state/cluster.ts';
import { useResource } from '../state/use-resource.ts';
import { count } from '../view/format.ts';
import { replicaLabel } from '../view/tones.ts';

/** Every engine that lives, and those that ended lately. */
export function Replicas() {
  const living = useResource(replicas);
  const { value: ended } = useResource(endedReplicas);
  return (
    <Section id="replicas" title="Replicas" of={living} empty="No replica lives.">
      {(items) => (
        <>
          <div class="card scroll">
            <ReplicaTable items={items} />
          </div>
          {ended && ended.length > 0 && (
            <details class="after">
              <summary>{count(ended.length, 'replica')} ended lately</summary>
              <div class="card scroll">
                <ReplicaTable items={ended} />
              </div>
            </details>
          )}
        </>
      )}
    </Section>
  );
}

function ReplicaTable({ items }: { items: ReplicaResource[] }) {
  return (
    <table>
      <thead>
        <tr>
          <th scope="col">Replica</th>
          <th scope="col">Deployment</th>
          <th scope="col">State</th>
          <th scope="col">Host</th>
          <th scope="col">Accelerators</th>
          <th scope="col" class="number">
            Weight
          </th>
          <th scope="col" class="number">
            Capacity
          </th>
          <th scope="col">Engine</th>
          <th scope="col">Since</th>
        </tr>
      </thead>
      <tbody>
        {items.map((replica) => (
          <ReplicaRow key={replica.id} replica={replica} />
        ))}
      </tbody>
    </table>
  );
}

function ReplicaRow({ replica }: { replica: ReplicaResource }) {
  const { status } = replica;
  const { label, tone } = replicaLabel(replica);
  return (
    <tr>
      <th scope="row" class="mono">
        {replica.id}
      </th>
      <td>
        {replica.deployment} <span class="quiet">r{replica.revision}</span>
      </td>
      <td>
        <Pill tone={tone} title={status.unreachable ?? status.reason}>
          {label}
        </Pill>
      </td>
      <td>{replica.host}</td>
      <td>
        {replica.accelerators.length} × {status.acceleratorKind} <span class="quiet">[{replica.accelerators.join(' ')}]</span>
      </td>
      <td class="number">{status.weight}</td>
      <td class="number" title="Rate at which the SLO still holds on it, by the step-time model">
        {status.capacityRequestsPerSecond === null ? '' : `${status.capacityRequestsPerSecond.toFixed(1)} req/s`}
      </td>
      <td>
        {replica.engine === 'simulated' ? <SimulatedBadge /> : replica.engine}
        {replica.generation > 1 && <span class="quiet"> generation {replica.generation}</span>}
      </td>
      <td>
        <Ago time={status.endedAt ?? status.updatedAt} />
      </td>
    </tr>
  );
}
