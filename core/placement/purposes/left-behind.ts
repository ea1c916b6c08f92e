/**
 * Replicas of a revision that is not the current one, of a deployment that no rollout holds: a rollout ended without being able to stop them.
 * They take no requests and hold accelerators. Where the current revision serves as it should, they leave.
 */
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
