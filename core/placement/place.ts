/** Places replicas, one after the other, each where it is best beside those before it. */
import type { SloTargets } from '../domain/slo-policy.ts';
import { bestCandidate, type Candidate } from './choose.ts';
import { type Draft, type Goal, reaches, totalCapacity, type Unit } from './draft.ts';
import { moveCost } from './fleet/move-cost.ts';
import { ranked } from './rank.ts';
import type { DeploymentDemand } from './types.ts';
import { describeShape, describeTargets, perSecond } from './wording.ts';

/** Places up to `most` replicas until the goal is reached or nothing more fits. What later ones made superfluous is not placed after all. */
export function placeTowards(
  draft: Draft,
  deployment: DeploymentDemand,
  siblings: readonly Unit[],
  goal: Goal,
  { most, replacing = [] }: { most: number; replacing?: readonly Unit[] },
): Unit[] {
  const chosen: Candidate[] = [];
  let placed: Unit[] = [];
  while (placed.length < most && !reaches([...siblings, ...placed], goal)) {
    const beside = [...siblings, ...placed];
    const need = { requestsPerSecond: goal.requestsPerSecond - totalCapacity(beside), replicas: most - placed.length };
    const candidate = bestCandidate(draft, deployment, beside, need);
    if (!candidate) break;
    chosen.push(candidate);
    placed.push(record(draft, deployment, candidate, replacing[placed.length]?.id));
  }
  const needed = neededOf(placed, siblings, goal);
  if (needed.length < placed.length) {
    withdraw(draft, placed);
    placed = needed.map((at, i) => record(draft, deployment, chosen[at]!, replacing[i]?.id));
  }
  return placed;
}

/** Indexes of those that the goal needs: the dearest of the others go first, as long as the rest does not end up on one host. */
function neededOf(placed: readonly Unit[], siblings: readonly Unit[], goal: Goal): number[] {
  let kept = placed.map((_, i) => i);
  const hosts = (indexes: readonly number[]) => new Set([...siblings, ...indexes.map((i) => placed[i]!)].map((u) => u.host)).size;
  if (!reaches([...siblings, ...placed], goal)) return kept;
  for (const at of ranked(kept, (i) => [-(placed[i]!.usdPerHour ?? 0)], String)) {
    const rest = kept.filter((i) => i !== at);
    const drawnTogether = hosts(rest) === 1 && hosts(kept) > 1 && siblings.length + rest.length > 1;
    if (reaches([...siblings, ...rest.map((i) => placed[i]!)], goal) && !drawnTogether) kept = rest;
  }
  return kept;
}

/** Takes the last placements back. */
export function withdraw(draft: Draft, placed: readonly Unit[]): void {
  draft.moves.length -= placed.length;
  for (const { id, host, accelerators } of placed) {
    draft.occupancy.release(host, accelerators);
    draft.placed.delete(id);
  }
}

/** Puts a candidate into the plan. */
export function record(draft: Draft, { spec, revision, targets }: DeploymentDemand, candidate: Candidate, replaces?: string): Unit {
  const { host, shape, accelerators, usdPerHour } = candidate;
  const replicaId = `${draft.input.idPrefix}-${draft.placed.size + 1}`;
  draft.occupancy.hold(host.name, accelerators);
  draft.moves.push({
    kind: 'place',
    replicaId,
    deployment: spec.name,
    revision,
    model: spec.model,
    engine: spec.engine.kind,
    host: host.name,
    accelerators,
    acceleratorKind: shape.acceleratorKind,
    tensorParallel: shape.tensorParallel,
    simulated: host.simulated,
    ...(replaces === undefined ? {} : { replaces }),
    capacityRequestsPerSecond: shape.capacity.meetsSlo ? shape.capacity.requestsPerSecond : 0,
    ...timeAndMoney(draft, spec.model, usdPerHour),
    reason: describeChoice(candidate, targets),
  });
  const { acceleratorKind, tensorParallel, capacity } = shape;
  const unit: Unit = {
    ...{ id: replicaId, host: host.name, acceleratorKind, accelerators, tensorParallel, capacity, shape, usdPerHour, serving: false },
  };
  draft.placed.set(replicaId, unit);
  return unit;
}

function timeAndMoney({ input }: Draft, model: string, usdPerHour: number | null): { seconds?: number; moveUsd?: number } {
  const shape = input.models[model];
  if (!shape) return {};
  const { seconds, usd } = moveCost(shape, usdPerHour ?? 0);
  return { seconds: Math.round(seconds), ...(usdPerHour === null ? {} : { moveUsd: Math.round(usd * 100) / 100 }) };
}

function describeChoice({ shape, usdPerHour }: Candidate, targets: SloTargets | null): string {
  const money = usdPerHour === null ? 'at an unknown price' : `for ${usdPerHour.toFixed(2)} USD/h`;
  const { requestsPerSecond, meetsSlo, unloaded } = shape.capacity;
  const serves = meetsSlo
    ? `serves ${perSecond(requestsPerSecond)} within ${describeTargets(targets)}`
    : `misses ${describeTargets(targets)} (an idle one reaches TTFT ${Math.ceil(unloaded.ttftMs)} ms, TPOT ${Math.ceil(unloaded.tpotMs)} ms): no free shape attains it`;
  return `${describeShape(shape)} ${money} ${serves}; step times ${shape.stepTimeSource}`;
}
