/** Places replicas, one after the other, each where it is best beside those before it. */
import type { SloTargets } from '../domain/slo-policy.ts';
import { bestCandidate, type Candidate } from './choose.ts';
import { type Draft, type Goal, reaches, totalCapacity, type Unit } from './draft.ts';
import type { DeploymentDemand } from './types.ts';
import { describeShape, describeTargets, perSecond } from './wording.ts';

/** Places up to `most` replicas until the goal is reached or nothing more fits. */
export function placeTowards(
  draft: Draft,
  deployment: DeploymentDemand,
  siblings: readonly Unit[],
  goal: Goal,
  { most, replacing = [] }: { most: number; replacing?: readonly Unit[] },
): Unit[] {
  const placed: Unit[] = [];
  while (placed.length < most && !reaches([...siblings, ...placed], goal)) {
    const beside = [...siblings, ...placed];
    const need = { requestsPerSecond: goal.requestsPerSecond - totalCapacity(beside), replicas: most - placed.length };
    const candidate = bestCandidate(draft, deployment, beside, need);
    if (!candidate) break;
    placed.push(record(draft, deployment, candidate, replacing[placed.length]?.id));
  }
  return placed;
}

/** Puts a candidate into the plan. */
export function record(draft: Draft, { spec, revision, targets }: DeploymentDemand, candidate: Candidate, replaces?: string): Unit {
  const { host, shape, accelerators } = candidate;
  const replicaId = `${draft.input.idPrefix}-${++draft.placed}`;
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
    reason: describeChoice(candidate, targets),
  });
  const { acceleratorKind, tensorParallel, capacity } = shape;
  return { id: replicaId, host: host.name, acceleratorKind, accelerators, tensorParallel, capacity, serving: false };
}

function describeChoice({ shape, usdPerHour }: Candidate, targets: SloTargets | null): string {
  const money = usdPerHour === null ? 'at an unknown price' : `for ${usdPerHour.toFixed(2)} USD/h`;
  const { requestsPerSecond, meetsSlo, unloaded } = shape.capacity;
  const serves = meetsSlo
    ? `serves ${perSecond(requestsPerSecond)} within ${describeTargets(targets)}`
    : `misses ${describeTargets(targets)} (an idle one reaches TTFT ${Math.ceil(unloaded.ttftMs)} ms, TPOT ${Math.ceil(unloaded.tpotMs)} ms): no free shape attains it`;
  return `${describeShape(shape)} ${money} ${serves}; step times ${shape.stepTimeSource}`;
}
