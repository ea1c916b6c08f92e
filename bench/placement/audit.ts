/** A second look at a plan that takes nothing of the planner's word: which of its promises do not hold. */
import { acceleratorKind } from '../../core/domain/accelerators.ts';
import { type HostState, isSchedulable } from '../../core/domain/fleet.ts';
import { DEFAULT_MEMORY_UTILISATION, OVERHEAD_BYTES_PER_ACCELERATOR } from '../../core/domain/memory.ts';
import type { ModelShape } from '../../core/domain/model-spec.ts';
import { type Capacity, replicaCapacity } from '../../core/placement/capacity/capacity.ts';
import type { FleetPlan, FleetReplica } from '../../core/placement/fleet/fleet-plan.ts';
import type { FleetInput } from '../../core/placement/fleet/problem.ts';
import { leastKvCacheTokens, openShapeBook, type Shape, type ShapeBook } from '../../core/placement/shapes.ts';
import type { DeploymentDemand } from '../../core/placement/types.ts';

/** Sums of reals in another order. */
const ROUNDING = 1e-6;

/** One sentence a fault; none where the plan is sound. */
export function faultsOf(input: FleetInput, plan: FleetPlan): string[] {
  const book = openShapeBook(input);
  const served = input.deployments.map((d) => servedBy(d, plan));
  const unmet = served.reduce((sum, s) => sum + s.unmetPerSecond, 0);
  const usd = plan.replicas.reduce((sum, r) => sum + usdPerHourOf(input, r), 0);
  const demand = input.deployments.reduce((sum, d) => sum + d.demand.requestsPerSecond, 0);
  return [
    ...usedTwice(plan.replicas),
    ...plan.replicas.flatMap((r) => replicaFaults(input, book, r).map((fault) => `${r.deployment} on ${r.host}: ${fault}`)),
    ...served.flatMap((s) => s.faults),
    ...differing('unmet demand', plan.unmetPerSecond, unmet, demand),
    ...differing('cost', plan.usdPerHour, usd, 1),
    ...(plan.lowerBoundUsdPerHour > plan.usdPerHour + ROUNDING ? [`bound ${plan.lowerBoundUsdPerHour} above cost ${plan.usdPerHour}`] : []),
    ...(plan.lowerBoundUnmetPerSecond > unmet + ROUNDING * demand ? [`bound ${plan.lowerBoundUnmetPerSecond} above unmet ${unmet}`] : []),
  ];
}

function usedTwice(replicas: readonly FleetReplica[]): string[] {
  const used = new Set<string>();
  return replicas.flatMap(({ host, accelerators }) =>
    accelerators.flatMap((index) => {
      const id = `${host}/${index}`;
      if (used.has(id)) return [`accelerator ${id} is used twice`];
      used.add(id);
      return [];
    }),
  );
}

function replicaFaults(input: FleetInput, book: ShapeBook, replica: FleetReplica): string[] {
  const { accelerators, shape } = replica;
  const host = input.hosts.find((h) => h.name === replica.host);
  const deployment = input.deployments.find((d) => d.spec.name === replica.deployment);
  if (!host || !deployment) return ['no such host or deployment'];
  const { hosts, accelerators: kinds } = deployment.spec.placement;
  const model = input.models[deployment.spec.model]!;
  const stages = stagesOf(replica, model);
  const again = capacityOf(book, deployment, host, replica);
  return [
    ...(isSchedulable(host) ? [] : ['the host takes no work']),
    ...(accelerators.every((a) => host.accelerators[a] === shape.acceleratorKind && !host.absent?.includes(a)) ? [] : ['wrong kind']),
    ...(stages.every((s) => s.accelerators.length === shape.tensorParallel) ? [] : ['stages of another width than it has']),
    ...(`${stages.flatMap((s) => s.accelerators)}` === `${accelerators}` ? [] : ['stages on other accelerators than it has']),
    ...(stages.reduce((sum, s) => sum + s.layers, 0) === model.layers ? [] : ['not all layers, or some twice']),
    ...(hosts.length === 0 || hosts.includes(host.name) ? [] : ['a host that it may not use']),
    ...(kinds.length === 0 || kinds.includes(shape.acceleratorKind) ? [] : ['a kind that it may not use']),
    ...(stages.every((s) => fitsMemory(deployment, model, shape, s.layers)) ? [] : ['more than the memory holds']),
    ...(again?.meetsSlo && again.requestsPerSecond === shape.capacity.requestsPerSecond ? [] : ['it does not serve that within its SLO']),
  ];
}

/** One stage of all layers where it is no pipeline. */
function stagesOf({ accelerators, stages }: FleetReplica, { layers }: ModelShape): { accelerators: number[]; layers: number }[] {
  return stages ?? [{ accelerators, layers }];
}

function capacityOf(book: ShapeBook, deployment: DeploymentDemand, host: HostState, { shape, stages }: FleetReplica): Capacity | undefined {
  if (stages) return replicaCapacity(shape.speed, deployment.demand, deployment.targets);
  return book.shape(deployment, host, shape.acceleratorKind, shape.tensorParallel)?.capacity;
}

/** A share of the weights, and of the cache of one long request, on each accelerator. */
function fitsMemory(
  deployment: DeploymentDemand,
  model: ModelShape,
  { acceleratorKind: kind, tensorParallel }: Shape,
  layers: number,
): boolean {
  const share = layers / model.layers;
  const kvBytesPerToken = model.kvBytesPerToken / Math.min(tensorParallel, model.kvHeads);
  const held = model.weightsBytes / tensorParallel + leastKvCacheTokens(deployment, model) * kvBytesPerToken;
  return share * held + OVERHEAD_BYTES_PER_ACCELERATOR <= acceleratorKind(kind).memoryBytes * DEFAULT_MEMORY_UTILISATION;
}

/** What a deployment gets, and whether the plan says so. */
function servedBy({ spec, demand }: DeploymentDemand, plan: FleetPlan): { unmetPerSecond: number; faults: string[] } {
  const own = plan.replicas.filter((r) => r.deployment === spec.name);
  const capacity = own.reduce((sum, r) => sum + r.shape.capacity.requestsPerSecond, 0);
  const unmetPerSecond = Math.max(0, demand.requestsPerSecond - capacity);
  const short = unmetPerSecond > ROUNDING * demand.requestsPerSecond || own.length < spec.replicas.min;
  const refusals = plan.refusals.filter((r) => r.subject === spec.name).length;
  return {
    unmetPerSecond: unmetPerSecond > ROUNDING * demand.requestsPerSecond ? unmetPerSecond : 0,
    faults: [
      ...(own.length <= spec.replicas.max ? [] : [`${spec.name}: ${own.length} replicas, ${spec.replicas.max} allowed`]),
      ...(refusals === (short ? 1 : 0) ? [] : [`${spec.name}: ${refusals} refusals, ${short ? 'though' : 'and not'} short`]),
    ],
  };
}

function usdPerHourOf({ prices }: FleetInput, { host, shape, accelerators }: FleetReplica): number {
  return accelerators.length * (prices.byHost[host]?.[shape.acceleratorKind] ?? prices.byKind[shape.acceleratorKind]!);
}

function differing(what: string, told: number, found: number, scale: number): string[] {
  return Math.abs(told - found) <= ROUNDING * Math.max(scale, found) ? [] : [`${what}: told ${told}, is ${found}`];
}
