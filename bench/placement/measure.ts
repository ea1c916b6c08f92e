/** One instance: the plan, whether it holds, how far it is from the least, and what others come to. */

import { planFleet } from '../../core/placement/fleet/fleet-plan.ts';
import type { MilpSolver } from '../../core/placement/fleet/milp.ts';
import { movedAgain } from './again.ts';
import { AS_IN_USE } from './as-in-use.ts';
import { faultsOf } from './audit.ts';
import type { Instance } from './instances.ts';
import { leastUnmet } from './least-unmet.ts';
import { PEERS } from './peers/peers.ts';
import { type HostsUsed, hostsUsed } from './spread.ts';

export interface InstanceResult {
  seed: number;
  hosts: number;
  accelerators: number;
  models: number;
  load: number;
  demandPerSecond: number;
  usdPerHour: number;
  lowerBoundUsdPerHour: number;
  unmetPerSecond: number;
  lowerBoundUnmetPerSecond: number;
  /** The least that any assignment leaves unmet, and whether the search for it came to its end. */
  leastUnmetPerSecond: number;
  leastUnmetProven: boolean;
  refusals: number;
  /** Of planning: processor time. */
  cpuMs: number;
  faults: string[];
  spread: HostsUsed;
  /** Replicas that move when the plan is made again of what it came to. */
  movedAgain: number;
  /** Where everything is served, what others pay for the same; null where they do not serve it all. None where it is not. */
  peersUsdPerHour: Record<string, number | null>;
}

export function measureInstance({ seed, accelerators, load, input }: Instance, solver: MilpSolver): InstanceResult {
  const before = process.cpuUsage();
  const plan = planFleet(input, solver, AS_IN_USE);
  const { user, system } = process.cpuUsage(before);
  const short = plan.refusals.length > 0;
  const least = short ? leastUnmet(input, solver) : { perSecond: 0, proven: true };
  const peers = short ? [] : PEERS.map((peer) => ({ ...peer, plan: peer.plan(input, solver) }));
  const belowBound = peers.filter((p) => p.bounded && p.plan.serves && p.plan.usdPerHour < plan.lowerBoundUsdPerHour - 1e-6);
  return {
    ...{ seed, hosts: input.hosts.length, accelerators, models: input.deployments.length, load },
    demandPerSecond: input.deployments.reduce((sum, d) => sum + d.demand.requestsPerSecond, 0),
    usdPerHour: plan.usdPerHour,
    lowerBoundUsdPerHour: plan.lowerBoundUsdPerHour,
    unmetPerSecond: plan.unmetPerSecond,
    lowerBoundUnmetPerSecond: plan.lowerBoundUnmetPerSecond,
    leastUnmetPerSecond: least.perSecond,
    leastUnmetProven: least.proven,
    refusals: plan.refusals.length,
    cpuMs: (user + system) / 1000,
    faults: [...faultsOf(input, plan), ...belowBound.map((p) => `${p.name} serves all for ${p.plan.usdPerHour}, below the bound`)],
    spread: hostsUsed(input, plan),
    movedAgain: movedAgain(input, plan, solver),
    peersUsdPerHour: Object.fromEntries(peers.map(({ name, plan: { serves, usdPerHour } }) => [name, serves ? usdPerHour : null])),
  };
}
