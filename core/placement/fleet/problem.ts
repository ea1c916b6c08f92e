/**
 * Planning a fleet in numbers: how many replicas of each deployment, in which shape, on which pool of like hosts. Which accelerators of
 * which host they take is decided afterwards (`pack.ts`), and never changes cost or capacity.
 */
import { findAcceleratorKind } from '../../domain/accelerators.ts';
import type { HostState } from '../../domain/fleet.ts';
import { isSchedulable } from '../../domain/fleet.ts';
import { intraHostLink, SLOW_LINK_BYTES_PER_SECOND } from '../../domain/links.ts';
import { holdsAccelerators, type Replica } from '../../domain/replica.ts';
import { isAllowed } from '../choose.ts';
import { pricePerHour } from '../cost.ts';
import { occupancyOf } from '../occupancy.ts';
import { type Shape, type ShapeBook, widthsOf } from '../shapes.ts';
import type { DeploymentDemand, PlanInput } from '../types.ts';
import type { PipelineBook } from './pipelines.ts';

export type FleetInput = Pick<PlanInput, 'hosts' | 'prices' | 'models' | 'deployments' | 'replicas' | 'stepTimes' | 'capacityFactors'>;

/** Accelerators of one kind on hosts that are alike: at the same price, behind the same links, open to the same deployments. */
export interface Pool {
  kind: string;
  hosts: PoolHost[];
  /** Of one accelerator. */
  usdPerHour: number;
}

export interface PoolHost {
  host: HostState;
  /** Indexes of the accelerators that planned deployments may have: all that nobody else holds. */
  accelerators: number[];
  /** Of these, how many nobody at all holds now. */
  free: number;
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
  /** Of one replica. */
  usdPerHour: number;
  /** Replicas of this kind that are there already. */
  present: number;
  /** Replicas that there may be; Infinity unless packing found less room than there seemed to be. */
  most: number;
}

/** Replicas of a width that a pool has room for, were it empty. */
export function slots({ hosts }: Pool, width: number): number {
  return hosts.reduce((sum, { accelerators }) => sum + Math.floor(accelerators.length / width), 0);
}

/** Replicas of a width that a pool has room for now. */
export function freeSlots({ hosts }: Pool, width: number): number {
  return hosts.reduce((sum, { free }) => sum + Math.floor(free / width), 0);
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
  /**
   * New replicas that there may be. They come before anything leaves, so that they find room only on accelerators that are free now.
   * Absent: whatever is best in the end, however one gets there.
   */
  mostMoves?: number;
}

/**
 * Kinds without a price take part at none: where money decides, a price nobody named is not zero.
 * @param pipelines absent: no replica is one
 */
export function fleetProblem(input: FleetInput, book: ShapeBook, pipelines?: PipelineBook): FleetProblem {
  const wishes = input.deployments.map((deployment) => ({
    deployment,
    requestsPerSecond: deployment.demand.requestsPerSecond,
    minReplicas: deployment.spec.replicas.min,
    maxReplicas: deployment.spec.replicas.max,
  }));
  const pools = poolsOf(input);
  const columns = wishes.flatMap((wish, w) => pools.flatMap((pool, p) => columnsOf(input, book, wish, w, pool, p, pipelines)));
  return { wishes, pools, columns };
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
  if (!isAllowed(deployment, host, pool.kind)) return [];
  const column = (shape: Shape): Column => {
    const width = shape.tensorParallel * (shape.stageLayers?.length ?? 1);
    const present = input.replicas.filter((r) => isPresent(r, deployment, pool, shape.tensorParallel, width)).length;
    const { requestsPerSecond } = shape.capacity;
    return { wish, pool: p, shape, width, requestsPerSecond, usdPerHour: width * pool.usdPerHour, present, most: Number.POSITIVE_INFINITY };
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

function poolsOf({ hosts, prices, replicas, deployments }: FleetInput): Pool[] {
  const planned = new Set(deployments.map((d) => d.spec.name));
  const all = occupancyOf(hosts, replicas);
  const others = occupancyOf(
    hosts,
    replicas.filter((r) => !planned.has(r.deployment)),
  );
  const pools = new Map<string, Pool>();
  for (const host of hosts.filter(isSchedulable)) {
    for (const kind of new Set(host.accelerators)) {
      const usdPerHour = pricePerHour(prices, host.name, kind);
      const accelerators = others.free(host, kind);
      if (usdPerHour === null || accelerators.length === 0) continue;
      const open = deployments.map((d) => (isAllowed(d, host, kind) ? '1' : '0')).join('');
      const key = JSON.stringify([kind, usdPerHour, host.links, host.simulated, open]);
      const pool = pools.get(key) ?? { kind, hosts: [], usdPerHour };
      pool.hosts.push({ host, accelerators, free: all.free(host, kind).length });
      pools.set(key, pool);
    }
  }
  return [...pools.values()];
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
