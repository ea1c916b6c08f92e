/** The best of the kinds alone, each with the fleet planner's own shapes and optimum: Mélange's comparison. */

import { planFleet } from '../../../core/placement/fleet/fleet-plan.ts';
import type { MilpSolver } from '../../../core/placement/fleet/milp.ts';
import type { FleetInput } from '../../../core/placement/fleet/problem.ts';
import type { DeploymentDemand } from '../../../core/placement/types.ts';
import { AS_IN_USE } from '../as-in-use.ts';
import { hostOf } from '../instances.ts';
import type { Peer, PeerPlan } from './peer.ts';

/** With as many as the fleet has. */
export const singleKind: Peer = (input, solver) =>
  best(kindsOf(input).map((kind) => planned({ ...input, hosts: hostsOf(input, kind) }, solver)));

/** Were there enough of each, in hosts as wide as its widest, and open to all. */
export const singleKindUnlimited: Peer = (input, solver) => {
  const deployments = input.deployments.map(openToAll);
  return best(
    kindsOf(input).map((kind) => {
      const width = Math.max(...hostsOf(input, kind).map((h) => h.accelerators.length));
      const total = input.hosts.reduce((sum, h) => sum + h.accelerators.length, 0);
      const hosts = Array.from({ length: Math.ceil((ENOUGH * total) / width) }, (_, i) => hostOf(`more-${i}`, kind, width));
      return planned({ ...input, hosts, deployments }, solver);
    }),
  );
};

/** Times all accelerators of the fleet. */
const ENOUGH = 8;

function kindsOf({ hosts }: FleetInput): string[] {
  return [...new Set(hosts.flatMap((h) => h.accelerators))];
}

function hostsOf({ hosts }: FleetInput, kind: string) {
  return hosts.filter((h) => h.accelerators.includes(kind));
}

function planned(input: FleetInput, solver: MilpSolver): PeerPlan {
  const { usdPerHour, refusals } = planFleet(input, solver, AS_IN_USE);
  return { usdPerHour, serves: refusals.length === 0 };
}

function best(plans: readonly PeerPlan[]): PeerPlan {
  const serving = plans.filter((p) => p.serves);
  return { usdPerHour: Math.min(...serving.map((p) => p.usdPerHour)), serves: serving.length > 0 };
}

function openToAll(deployment: DeploymentDemand): DeploymentDemand {
  const { spec } = deployment;
  return { ...deployment, spec: { ...spec, placement: { ...spec.placement, hosts: [], accelerators: [] } } };
}
