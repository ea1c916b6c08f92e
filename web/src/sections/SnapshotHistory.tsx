import type { ProfilerSnapshotResource } from '../../../api/schema/index.ts';
import { post } from '../client/http.ts';
import { ActionButton } from '../parts/ActionButton.tsx';
import { Ago } from '../parts/Ago.tsx';
import { count, percent } from '../view/format.ts';

/** Every snapshot that is kept, why it was published, and the way back to it. */
export function SnapshotHistory({ snapshots }: { snapshots: ProfilerSnapshotResource[] }) {
  return (
    <details class="after">
      <summary>{count(snapshots.length, 'snapshot')} published lately</summary>
      <div class="card scroll">
        <table>
          <thead>
            <tr>
              <th scope="col">Version</th>
              <th scope="col">Published</th>
              <th scope="col">Why</th>
              <th scope="col">From</th>
              <th scope="col" class="number">
                Error
              </th>
              <th scope="col" class="number">
                Constant median
              </th>
              <th scope="col" class="number">
                Below p90
              </th>
              <th scope="col" aria-label="Go back" />
            </tr>
          </thead>
          <tbody>
            {snapshots.map((snapshot, index) => (
              <SnapshotRow key={snapshot.version} snapshot={snapshot} inForce={index === 0} />
            ))}
          </tbody>
        </table>
      </div>
    </details>
  );
}

function SnapshotRow({
  snapshot: { version, createdAt, reason, basedOn, scores },
  inForce,
}: {
  snapshot: ProfilerSnapshotResource;
  inForce: boolean;
}) {
  const { maeTokens = null, maeConstantMedianTokens = null, coverage90 = null } = scores?.all ?? {};
  return (
    <tr>
      <th scope="row">{version}</th>
      <td>
        <Ago time={createdAt} />
      </td>
      <td>{reason}</td>
      <td>{basedOn}</td>
      <td class="number">{maeTokens?.toFixed(1)}</td>
      <td class="number">{maeConstantMedianTokens?.toFixed(1)}</td>
      <td class="number">{coverage90 !== null && percent(coverage90)}</td>
      <td class="number">
        {inForce ? (
          'in force'
        ) : (
          <ActionButton
            label="Go back"
            of={`to version ${version}`}
            done={`What version ${version} knew is in force again`}
            action={() => post('/api/v1/profiler/rollback', { toVersion: version })}
            confirm={{
              title: `Go back to version ${version}?`,
              text: 'It is published again as a new version. Learning goes on from it with what comes from now on.',
            }}
          />
        )}
      </td>
    </tr>
  );
}
