import { duration } from '../view/format.ts';
import { progress, type Stage, stageSeconds } from '../view/rollouts.ts';

/** The stages of a rollout: a strip to see at a glance, and the table behind it. */
export function Stages({ stages, open }: { stages: Stage[]; open: boolean }) {
  return (
    <details class="stages" open={open}>
      <summary>
        <span class="strip" aria-hidden="true">
          {stages.map(({ stage, state }) => (
            <i key={stage} class={`stage-${state}`} title={`${stage}: ${state}`} />
          ))}
        </span>
        {progress(stages)}
      </summary>
      <div class="scroll">
        <table>
          <thead>
            <tr>
              <th scope="col">Stage</th>
              <th scope="col">State</th>
              <th scope="col" class="number">
                Took
              </th>
              <th scope="col">Detail</th>
            </tr>
          </thead>
          <tbody>
            {stages.map((stage) => (
              <StageRow key={stage.stage} stage={stage} />
            ))}
          </tbody>
        </table>
      </div>
    </details>
  );
}

function StageRow({ stage }: { stage: Stage }) {
  const seconds = stageSeconds(stage, Date.now());
  return (
    <tr class={`stage-row stage-row-${stage.state}`}>
      <th scope="row">{stage.stage}</th>
      <td>{stage.state}</td>
      <td class="number">{seconds === null ? '' : duration(seconds)}</td>
      <td class="wrap">{stage.detail}</td>
    </tr>
  );
}
