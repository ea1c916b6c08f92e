/** After a loss: replicas of lost hosts, and those that failed, are made good as far as they are missed. */
import { type Draft, presentReplicas, reaches, retire, totalCapacity, unitOf } from '../draft.ts';
import { leastGoal } from '../goals.ts';
import { placeTowards } from '../place.ts';
import { overBudget, whyNotPlaced } from '../refuse.ts';
import type { DeploymentDemand } from '../types.ts';
import { countOf, perSecond } from '../wording.ts';

export function planReplace(draft: Draft, deployment: DeploymentDemand): void {
  const { spec } = deployment;
  const present = presentReplicas(draft, deployment);
  const staying = present.current.map((r) => unitOf(draft, deployment, r));
  const lost = present.lost.map((r) => unitOf(draft, deployment, r));
  const goal = leastGoal(deployment);
  const most = Math.min(draft.movesLeft, spec.replicas.max - staying.length);
  const placed = placeTowards(draft, deployment, staying, goal, { most, replacing: lost });
  draft.movesLeft -= placed.length;

  const after = [...staying, ...placed];
  const suffices = reaches(after, goal) || after.length >= spec.replicas.max;
  // What is still missed keeps its place: gateways may reach it yet, its host may return, and who asks for a replacement asks again.
  if (suffices) for (const unit of lost.slice(placed.length)) retire(draft, spec.name, unit, `host ${unit.host} is lost`);
  if (placed.length + lost.length > 0) {
    draft.reasons.push(
      `${spec.name}: ${countOf(lost.length)} lost, ${placed.length} placed; ${countOf(after.length)} can then serve ${perSecond(totalCapacity(after))}`,
    );
  }
  if (suffices) return;
  draft.waiting.push(draft.movesLeft === 0 ? overBudget(draft, spec.name) : whyNotPlaced(draft, deployment));
}
