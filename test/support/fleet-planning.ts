/** For tests of the fleet planner: problems in bare numbers, inputs from short texts, and plans that have been carried out. */
import type { Replica } from '../../core/domain/replica.ts';
import type { FleetPlan } from '../../core/placement/fleet/fleet-plan.ts';
import type { FleetInput, FleetProblem } from '../../core/placement/fleet/problem.ts';
import type { Shape } from '../../core/placement/shapes.ts';
import type { DeploymentDemand } from '../../core/placement/types.ts';
import { deployed, fleetOf, TestFleet } from './placement.ts';

export interface BareProblem {
  /** Accelerators of each host, and the price of one. */
  pools: { hosts: number[]; usd: number }[];
  wishes: { demand: number; min?: number; max?: number }[];
  columns: { wish: number; pool: number; width: number; rate: number; present?: number }[];
  mostMoves?: number;
  /** Wishes that may not share a host. */
  apart?: [number, number][];
}

/** Replicas that are there take the hosts of their pool one after the other, as far as each has room. */
export function problemOf({ pools, wishes, columns, mostMoves, apart = [] }: BareProblem): FleetProblem {
  const free = pools.map((p) => [...p.hosts]);
  for (const { pool, width, present = 0 } of [...columns].sort((a, b) => b.width - a.width)) {
    for (let n = 0; n < present; n++) free[pool]![free[pool]!.findIndex((left) => left >= width)]! -= width;
  }
  return {
    apart,
    wishes: wishes.map(({ demand, min = 0, max = 1000 }, w) => {
      const deployment = deployed({ name: `d${w}`, model: 'llama-3.1-8b', demand: { requestsPerSecond: demand } });
      return { deployment, requestsPerSecond: demand, minReplicas: min, maxReplicas: max };
    }),
    pools: pools.map(({ hosts, usd }, p) => ({
      ...{ kind: `kind-${p}`, usdPerHour: usd, place: `place-${p}`, open: [] },
      hosts: hosts.map((count, h) => ({
        usdPerHour: usd,
        host: { ...fleetOf(`p${p}-h${h}: ${count} L40S`)[0]! },
        accelerators: Array.from({ length: count }, (_, i) => i),
        free: free[p]![h]!,
      })),
    })),
    columns: columns.map(({ wish, pool, width, rate, present = 0 }) => ({
      ...{ wish, pool, width, present, shape: bareShape(pool, width, rate) },
      ...{ requestsPerSecond: rate, usdPerHour: width * pools[pool]!.usd },
    })),
    ...(mostMoves === undefined ? {} : { mostMoves }),
  };
}

function bareShape(pool: number, width: number, requestsPerSecond: number): Shape {
  const unloaded = { ttftMs: 100, tpotMs: 10, e2eMs: 1000 };
  return {
    acceleratorKind: `kind-${pool}`,
    tensorParallel: width,
    capacity: { requestsPerSecond, meetsSlo: true, unloaded },
    speed: { stepTime: { d0: 1, d1: 0, d2: 0, ra: 0, rc: 0, rb: 0, o: 0 }, kvCacheTokens: 1e6 },
    stepTimeSource: 'derived',
  };
}

/** @param hosts as `fleetOf` takes them */
export function fleetInput(hosts: string[], deployments: DeploymentDemand[], replicas: Replica[] = []): FleetInput {
  const fleet = new TestFleet(fleetOf(...hosts), deployments);
  fleet.replicas = replicas;
  return fleet.input('rebalance');
}

/** A replica that serves, of revision 1. */
export function presentReplica(
  id: string,
  { deployment, host, accelerators, kind }: { deployment: DeploymentDemand; host: string; accelerators: number[]; kind: string },
): Replica {
  const { name, model } = deployment.spec;
  return {
    ...{ id, model, deployment: name, revision: 1, host, accelerators, acceleratorKind: kind, tensorParallel: accelerators.length },
    ...{ engine: 'simulated', endpoint: null, state: 'ready', generation: 1, weight: 100, simulated: true, reason: '' },
  };
}

/** What is there once the plan has been carried out. */
export function carriedOut({ replicas }: FleetPlan, input: FleetInput): Replica[] {
  return replicas.map(({ deployment: name, host, accelerators, shape, presentId }, i) => {
    const deployment = input.deployments.find((d) => d.spec.name === name)!;
    const replica = presentReplica(presentId ?? `new-${i}`, { deployment, host, accelerators, kind: shape.acceleratorKind });
    return { ...replica, tensorParallel: shape.tensorParallel };
  });
}
