/**
 * Planning a fleet in numbers: how many replicas of each deployment, in which shape, on which pool of like hosts. Which accelerators of
 * which host they take is decided afterwards (`packing/`).
 */
import { findAcceleratorKind } from '../../domain/accelerators.ts';
import type { HostState } from '../../domain/fleet.ts';
import { intraHostLink, SLOW_LINK_BYTES_PER_SECOND } from '../../domain/links.ts';
import { holdsAccelerators, type Replica } from '../../domain/replica.ts';
import { apartOf } from '../affinity.ts';
import { type Shape, type ShapeBook, widthsOf } from '../shapes.ts';
import type { DeploymentDemand, PlanInput } from '../types.ts';
import type { PipelineBook } from './pipelines.ts';
import { type Grain, type Pool, type PoolHost, poolsOf, slots } from './pools.ts';
import type { PresentPipeline } from './spanning.ts';

export interface FleetInput
  extends Pick<PlanInput, 'hosts' | 'prices' | 'models' | 'deployments' | 'replicas' | 'stepTimes' | 'capacityFactors'> {
  /** Across hosts, which are no replicas of one host; each of a deployment of the input. */
  pipelines?: readonly PresentPipeline[];
}

/** One way to serve a deployment: replicas of one shape on one pool. */
export interface Column {
  wish: number;
  pool: number;
  shape: Shape;
  /** Accelerators of one replica. */
  width: number;
  /** Of one replica, within the SLO. */
  requestsPerSecond: number;
  /** Of one replica, the least where hosts of the pool differ. */
  usdPerHour: number;
  /** Replicas of this kind that are there already. */
  present: number;
}

export interface Wish {
  deployment: DeploymentDemand;
  requestsPerSecond: number;
  minReplicas: number;
  maxReplicas: number;
}

export interface FleetProblem {
  wishes: Wish[];
  pools: Pool[];
  columns: Column[];
  /** Wishes whose replicas may not share a host; one with itself where each of its replicas wants a host of its own. */
  apart: readonly (readonly [wish: number, other: number])[];
  /**
   * New replicas that there may be. They come before anything leaves, so that they find room only on accelerators that are free now.
   * Absent: whatever is best in the end, however one gets there.
   */
  mostMoves?: number;
}

/**
 * Kinds without a price take part at none: where money decides, a price nobody named is not zero.
 * @param pipelines absent: no replica is one
 * @param grain of the pools
 */
export function fleetProblem(input: FleetInput, book: ShapeBook, pipelines?: PipelineBook, grain: Grain = 'affordable'): FleetProblem {
  const wishes = input.deployments.map((deployment) => ({
    deployment,
    requestsPerSecond: deployment.demand.requestsPerSecond,
    minReplicas: deployment.spec.replicas.min,
    maxReplicas: deployment.spec.replicas.max,
  }));
  const pools = poolsOf(input, grain);
  const columns = wishes.flatMap((wish, w) => pools.flatMap((pool, p) => columnsOf(input, book, wish, w, pool, p, pipelines)));
  return { wishes, pools, columns, apart: apartWishes(input) };
}

/** Requests a second, of all deployments together. */
export function totalDemand({ wishes }: Pick<FleetProblem, 'wishes'>): number {
  return wishes.reduce((sum, w) => sum + w.requestsPerSecond, 0);
}

function apartWishes({ deployments }: FleetInput): [number, number][] {
  const apart = apartOf(deployments.map((d) => d.spec));
  return deployments.flatMap(({ spec }, w) =>
    deployments.flatMap(({ spec: { name } }, other): [number, number][] =>
      w <= other && apart.get(spec.name)?.has(name) ? [[w, other]] : [],
    ),
  );
}

function columnsOf(
  input: FleetInput,
  book: ShapeBook,
  { deployment }: Wish,
  wish: number,
  pool: Pool,
  p: number,
  pipelines: PipelineBook | undefined,
): Column[] {
  const [{ host }] = pool.hosts as [PoolHost];
  if (!pool.open.includes(deployment.spec.name)) return [];
  const own = input.replicas.filter((r) => r.deployment === deployment.spec.name && r.acceleratorKind === pool.kind);
  const column = (shape: Shape): Column => {
    const width = shape.tensorParallel * (shape.stageLayers?.length ?? 1);
    const present = own.filter((r) => isPresent(r, deployment, pool, shape.tensorParallel, width)).length;
    const { requestsPerSecond } = shape.capacity;
    return { wish, pool: p, shape, width, requestsPerSecond, usdPerHour: width * pool.usdPerHour, present };
  };
  const columns = widthsOf(deployment)
    .filter((width) => slots(pool, width) > 0)
    .flatMap((width) => book.shape(deployment, host, pool.kind, width) ?? [])
    .filter(({ capacity }) => capacity.meetsSlo && capacity.requestsPerSecond > 0)
    .map(column);
  const price = (c: Column) => c.usdPerHour / c.requestsPerSecond;
  const cheapest = Math.min(...columns.map(price));
  // A pipeline is slower than what it replaces, and worth its column only where it serves at less money: never over a fast link.
  const offered = columns.length === 0 || isSlow(pool.kind, host) ? pipelines?.(deployment, pool) : undefined;
  const cheaper = (offered ?? []).map(column).filter((c) => price(c) < cheapest);
  // A wider shape that serves no more than a narrower one is never of use.
  const all = [...columns, ...cheaper];
  return all.filter((c) => c.present > 0 || !all.some((other) => other.width < c.width && other.requestsPerSecond >= c.requestsPerSecond));
}

/** Do accelerators of this kind meet over a slow link there? */
function isSlow(kind: string, { links }: HostState): boolean {
  const accelerator = findAcceleratorKind(kind);
  return accelerator !== undefined && intraHostLink(links, accelerator).bandwidthBytesPerSecond < SLOW_LINK_BYTES_PER_SECOND;
}

/** @param width accelerators of one replica */
export function isPresent(
  replica: Replica,
  { spec, revision }: DeploymentDemand,
  pool: Pool,
  tensorParallel: number,
  width: number,
): boolean {
  return (
    replica.deployment === spec.name &&
    replica.revision === revision &&
    replica.tensorParallel === tensorParallel &&
    replica.accelerators.length === width &&
    replica.acceleratorKind === pool.kind &&
    replica.state !== 'draining' &&
    holdsAccelerators(replica.state) &&
    pool.hosts.some(({ host }) => host.name === replica.host)
  );
}

/** What so many replicas a column leave undone, by wish. */
export function shortfallOf(
  { wishes, columns }: FleetProblem,
  counts: readonly number[],
): { unmetPerSecond: number; missingReplicas: number }[] {
  const short = wishes.map((w) => ({ unmetPerSecond: w.requestsPerSecond, missingReplicas: w.minReplicas }));
  for (const [i, { wish, requestsPerSecond }] of columns.entries()) {
    short[wish]!.unmetPerSecond -= counts[i]! * requestsPerSecond;
    short[wish]!.missingReplicas -= counts[i]!;
  }
  return short.map(({ unmetPerSecond, missingReplicas }, w) => ({
    unmetPerSecond: unmetPerSecond > 1e-6 * wishes[w]!.requestsPerSecond ? unmetPerSecond : 0,
    missingReplicas: Math.max(0, missingReplicas),
  }));
}
