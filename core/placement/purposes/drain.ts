/** Empties a host: each replica on it finds a place elsewhere, unless those that stay suffice. Nothing leaves below `replicas.min`. */
import { mayLeave } from '../budget.ts';
import {
  type Draft,
  type Goal,
  type PresentReplicas,
  presentReplicas,
  reaches,
  retire,
  totalCapacity,
  type Unit,
  unitOf,
} from '../draft.ts';
import { leastGoal } from '../goals.ts';
import { placeTowards } from '../place.ts';
import { overBudget, whyNotPlaced } from '../refuse.ts';
import type { DeploymentDemand } from '../types.ts';
import { countOf, perSecond } from '../wording.ts';

export function planDrain(draft: Draft, deployment: DeploymentDemand): void {
  const { spec } = deployment;
  const present = presentReplicas(draft, deployment);
  const here = (replica: { host: string }) => replica.host === draft.input.drainHost;
  retireSuperseded(draft, deployment, present);
  const units = present.current.map((r) => unitOf(draft, deployment, r));
  const leaving = [...units.filter(here), ...present.lost.filter(here).map((r) => unitOf(draft, deployment, r))];
  if (leaving.length === 0) return;
  if (draft.movesLeft === 0) {
    draft.waiting.push(overBudget(draft, spec.name));
    return;
  }
  const staying = units.filter((u) => !here(u));

  // A drain makes nothing worse; making it better is for a rebalance.
  const least = leastGoal(deployment);
  const goal: Goal = { ...least, requestsPerSecond: Math.min(least.requestsPerSecond, totalCapacity(units)) };
  const placed = placeTowards(draft, deployment, staying, goal, { most: leaving.length, replacing: leaving });

  const after = [...staying, ...placed];
  const unreplaced = leaving.slice(placed.length);
  draft.reasons.push(
    `${spec.name}: ${countOf(leaving.length)} to leave, ${placed.length} placed elsewhere; ${countOf(after.length)} can then serve ${perSecond(totalCapacity(after))}`,
  );
  leaveUnreplaced(draft, deployment, goal, { staying, placed, unreplaced });
}

/** Replicas without a successor go as far as the budget lets them; the others wait. */
function leaveUnreplaced(
  draft: Draft,
  deployment: DeploymentDemand,
  goal: Goal,
  { staying, placed, unreplaced }: { staying: readonly Unit[]; placed: readonly Unit[]; unreplaced: readonly Unit[] },
): void {
  const { spec } = deployment;
  const after = [...staying, ...placed];
  const idle = unreplaced.filter((u) => !u.serving);
  const serving = unreplaced.filter((u) => u.serving);
  // What is placed serves before anything leaves; what stays may only be starting.
  const replacements = [...staying.filter((u) => u.serving), ...placed];
  const free = mayLeave({
    serving: replacements.length + serving.length,
    needed: neededOf([...replacements, ...serving], goal),
    min: spec.replicas.min,
    maxUnavailable: draft.input.budget.maxUnavailable,
  });
  const go = [...idle, ...serving.slice(0, free)];
  for (const unit of go) retire(draft, spec.name, unit, `${countOf(after.length)} elsewhere suffice`);
  const stuck = serving.slice(free);
  if (stuck.length === 0) return;
  const why = reaches(after, goal)
    ? {
        kind: 'waiting' as const,
        on: 'disruption-budget' as const,
        subject: spec.name,
        message: `${replacements.length} of ${countOf(after.length)} elsewhere serve yet`,
        nearest: 'goes on once they serve',
      }
    : whyNotPlaced(draft, deployment);
  draft.waiting.push({
    ...why,
    message: `${stuck.map((u) => u.id).join(', ')} cannot leave host ${draft.input.drainHost}: ${why.message}`,
  });
}

/** How many of these, in this order, the goal needs. */
function neededOf(units: readonly Unit[], goal: Goal): number {
  const enough = units.findIndex((_, i) => reaches(units.slice(0, i + 1), goal));
  return enough < 0 ? units.length : enough + 1;
}

/**
 * What another plan or rollout has given up already goes without a successor; what a rollout is bringing in is not ours to move. That may be
 * an earlier revision, which is rolled back to.
 */
function retireSuperseded(draft: Draft, { spec, inRollout }: DeploymentDemand, { older, draining, newer }: PresentReplicas): void {
  const { drainHost } = draft.input;
  const others = [...older, ...newer].filter((r) => r.host === drainHost);
  const leaving = [...(inRollout ? [] : others), ...draining.filter((r) => r.host === drainHost)];
  for (const replica of leaving) retire(draft, spec.name, replica, 'it was on its way out already');
  if (!inRollout) return;
  for (const { id, revision } of others) {
    draft.waiting.push({
      kind: 'waiting',
      on: 'rollout',
      subject: spec.name,
      message: `${id} cannot leave host ${drainHost}: a rollout of ${spec.name} is bringing revision ${revision} in`,
      nearest: 'goes on once the rollout has ended',
    });
  }
}
