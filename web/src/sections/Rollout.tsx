import type { RolloutAction, RolloutResource } from '../../../api/schema/index.ts';
import { post } from '../client/http.ts';
import { ActionButton } from '../parts/ActionButton.tsx';
import { Ago } from '../parts/Ago.tsx';
import { Pill } from '../parts/Pill.tsx';
import { info } from '../state/cluster.ts';
import { useResource } from '../state/use-resource.ts';
import { workflowUrl } from '../view/links.ts';
import { actionsOf } from '../view/rollouts.ts';
import { rolloutTone } from '../view/tones.ts';
import { Stages } from './Stages.tsx';

const DONE: Record<RolloutAction, string> = { pause: 'paused', resume: 'goes on', approve: 'approved', abort: 'goes back' };

/** The newest rollout of a deployment: where it stands, why, and what can be done about it. */
export function Rollout({ rollout }: { rollout: RolloutResource }) {
  const { value: about } = useResource(info);
  const { id, revision, workflowId, status, startedAt, endedAt } = rollout;
  const temporal = workflowUrl(about?.temporalUiUrl, workflowId);
  return (
    <div class="rollout">
      <p class="rollout-head">
        <span>Rollout of revision {revision}</span>
        <Pill tone={rolloutTone(status.phase)}>{status.phase.replaceAll('-', ' ')}</Pill>
        <span class="quiet">
          {endedAt ? 'ended ' : 'began '}
          <Ago time={endedAt ?? startedAt} />
        </span>
        {temporal && (
          <a class="push" href={temporal}>
            In Temporal
          </a>
        )}
      </p>
      {status.reason && <p class="reason">{status.reason}</p>}
      <Stages stages={status.stages} open={endedAt === null} />
      {endedAt === null && (
        <div class="row row-end">
          {actionsOf(status.phase).map((action) => (
            <RolloutButton key={action} id={id} action={action} />
          ))}
        </div>
      )}
    </div>
  );
}

function RolloutButton({ id, action }: { id: string; action: RolloutAction }) {
  const label = action[0]!.toUpperCase() + action.slice(1);
  return (
    <ActionButton
      label={label}
      of={`rollout ${id}`}
      done={`Rollout ${id} ${DONE[action]}`}
      action={() => post(`/api/v1/rollouts/${id}/${action}`, {})}
      tone={action === 'abort' ? 'danger' : action === 'approve' ? 'primary' : 'plain'}
      {...(action === 'abort' ? { confirm: { title: `Abort ${id}?`, text: 'Everything goes back to what served before it began.' } } : {})}
    />
  );
}
