/** A new revision beside what serves: all that it needs, or nothing. What served before leaves once the new one does. */
import { type Draft, presentReplicas, retire, totalCapacity, unitOf } from '../draft.ts';
import { wantedGoal } from '../goals.ts';
import { placeTowards, withdraw } from '../place.ts';
import { sloRefusal, whyNotPlaced } from '../refuse.ts';
import type { DeploymentDemand } from '../types.ts';
import { countOf, perSecond } from '../wording.ts';

export function planDeploy(draft: Draft, deployment: DeploymentDemand): void {
  const { spec, revision, demand } = deployment;
  const present = presentReplicas(draft, deployment);
  const toUnit = (replica: Parameters<typeof unitOf>[2]) => unitOf(draft, deployment, replica);
  const there = present.current.map(toUnit);
  const others = [...present.older, ...present.newer].map(toUnit);
  const goal = wantedGoal(deployment);
  const placed = placeTowards(draft, deployment, there, goal, { most: spec.replicas.max - there.length, replacing: others });
  const serving = [...there, ...placed];
  const least = Math.max(goal.replicas, goal.requestsPerSecond > 0 ? 1 : 0);

  if (serving.length < least) {
    const { message, ...refusal } = whyNotPlaced(draft, deployment);
    const beside = others.length > 0 ? ` beside the ${others.length} that serve` : '';
    draft.waiting.push({ ...refusal, message: `${serving.length} of ${countOf(least)} can be placed${beside}: ${message}` });
    withdraw(draft, placed);
    return;
  }
  const missing = serving.find((u) => !u.capacity.meetsSlo);
  if (missing) draft.waiting.push(sloRefusal(deployment, missing));
  for (const unit of others.slice(placed.length)) retire(draft, spec.name, unit, `revision ${revision} takes its place`);
  const { quantisationNote } = draft.input.models[spec.model] ?? {};
  if (quantisationNote) draft.reasons.push(`${spec.name}: ${quantisationNote}`);
  draft.reasons.push(
    `${spec.name}: ${perSecond(demand.requestsPerSecond)} wanted; ${countOf(serving.length)} of revision ${revision} can serve ${perSecond(totalCapacity(serving))}`,
  );
}
