/**
 * Replicas of a revision that is not the current one, of a deployment that no rollout holds: a rollout ended without being able to stop them.
 * They take no requests and hold accelerators. Where the current revision serves as it should, they leave.
 */
import { holdsAccelerators } from '../../domain/replica.ts';
import { type Draft, type PresentReplicas, retire } from '../draft.ts';
import type { DeploymentDemand } from '../types.ts';

export function retireLeftBehind(draft: Draft, { spec, revision }: DeploymentDemand, { current, older, newer }: PresentReplicas): void {
  if (current.filter((r) => r.state === 'ready').length < spec.replicas.min) return;
  for (const replica of [...older, ...newer]) {
    if (draft.movesLeft === 0) return;
    draft.movesLeft--;
    retire(draft, spec.name, replica, `revision ${revision} is the current one`);
  }
}

/** Those of a deployment that was deleted, where whoever was to stop them is gone. */
export function retireUndeclared(draft: Draft): void {
  const { undeclared = [], drainHost, replicas } = draft.input;
  for (const replica of replicas) {
    if (!undeclared.includes(replica.deployment) || !holdsAccelerators(replica.state)) continue;
    if (replica.state === 'draining' || (drainHost !== undefined && replica.host !== drainHost)) continue;
    retire(draft, replica.deployment, replica, `deployment ${replica.deployment} was deleted`);
  }
}
