import type { DiagnosisAnswer, ReplicaDiagnosisItem } from '../../../api/schema/index.ts';
import { Pill } from '../parts/Pill.tsx';
import { Section } from '../parts/Section.tsx';
import { diagnosis } from '../state/cluster.ts';
import { useResource } from '../state/use-resource.ts';
import { utilisationTone } from '../view/cost.ts';
import { bindsTone, loadShare, moreFor, moreText, verdictTone } from '../view/diagnosis.ts';
import { count } from '../view/format.ts';

/** Which resource each replica's requests wait for, and what more accelerators would bring. */
export function Diagnosis() {
  const { value, error } = useResource(diagnosis);
  return (
    <Section
      id="diagnosis"
      title="Bottlenecks"
      note={value && `over the requests of the last ${count(Math.round(value.windowSeconds / 60), 'minute')}`}
      of={{ value: value?.replicas ?? null, error }}
      empty="No ready replica of which enough is known."
    >
      {(replicas) => (
        <>
          <div class="card scroll">
            <table>
              <thead>
                <tr>
                  <th scope="col">Replica</th>
                  <th scope="col">Binds</th>
                  <th scope="col" class="number" title="Requests a second, of what it can serve within its SLO">
                    Load
                  </th>
                  <th scope="col">Full, it is bound by</th>
                  <th scope="col">With more accelerators</th>
                </tr>
              </thead>
              <tbody>
                {replicas.map((replica) => (
                  <ReplicaRow key={replica.replicaId} of={replica} answer={value!} />
                ))}
              </tbody>
            </table>
          </div>
          {value!.unknown.map(({ replicaId, reason }) => (
            <p key={replicaId} class="quiet">
              Nothing can be said of {replicaId}: {reason}
            </p>
          ))}
        </>
      )}
    </Section>
  );
}

function ReplicaRow({ of: replica, answer }: { of: ReplicaDiagnosisItem; answer: DiagnosisAnswer }) {
  const load = loadShare(replica);
  return (
    <tr class="top-aligned">
      <th scope="row">
        {replica.deployment}
        <span class="quiet under">
          {replica.host}, {replica.tensorParallel} {replica.acceleratorKind}
        </span>
      </th>
      <td class="wrap" title={replica.why}>
        <Pill tone={bindsTone(replica)}>{replica.binds}</Pill>
        <span class="quiet under">{replica.why}</span>
      </td>
      <td class="number">
        {load === null ? 'none' : <span class={`amount-${utilisationTone(load)}`}>{Math.round(load * 100)} %</span>}
        <span class="quiet under">of {replica.limit.requestsPerSecond.toFixed(1)}/s</span>
      </td>
      <td>
        {replica.limit.binds}
        {!replica.limit.meetsSlo && <span class="quiet under">its targets cannot be met</span>}
      </td>
      <td class="wrap">
        {moreFor(answer, replica).map((option) => (
          <span key={option.change} class="under">
            {moreText(option)}: <span class={`amount-${verdictTone(option)}`}>{option.verdict}</span>{' '}
            <span class="quiet">{option.message}</span>
          </span>
        ))}
      </td>
    </tr>
  );
}
