/** On how many hosts the replicas of deployments stand, beside the most that the same replicas could stand on. */
import type { FleetPlan, FleetReplica } from '../../core/placement/fleet/fleet-plan.ts';
import type { FleetInput } from '../../core/placement/fleet/problem.ts';

export interface HostsUsed {
  /** Sums over deployments of two and more replicas. */
  hosts: number;
  most: number;
  /** Deployments of two and more replicas, and those of them that stand on one host though they could stand on more. */
  deployments: number;
  onOneHost: number;
}

export function hostsUsed(input: FleetInput, { replicas }: FleetPlan): HostsUsed {
  const of = input.deployments
    .map((d) => ({ hosts: d.spec.placement.hosts, own: replicas.filter((r) => r.deployment === d.spec.name) }))
    .filter(({ own }) => own.length > 1)
    .map(({ hosts, own }) => ({ hosts: new Set(own.map((r) => r.host)).size, most: mostHosts(input, hosts, own) }));
  return {
    hosts: of.reduce((sum, d) => sum + d.hosts, 0),
    most: of.reduce((sum, d) => sum + d.most, 0),
    deployments: of.length,
    onOneHost: of.filter((d) => d.hosts === 1 && d.most > 1).length,
  };
}

/** Were the fleet theirs alone: no more than there are of them, and of each kind no more than hosts have room for one. */
function mostHosts({ hosts }: FleetInput, pinned: readonly string[], own: readonly FleetReplica[]): number {
  const byKind = new Map<string, FleetReplica[]>();
  for (const replica of own) byKind.set(replica.shape.acceleratorKind, [...(byKind.get(replica.shape.acceleratorKind) ?? []), replica]);
  const ofKinds = [...byKind].map(([kind, replicas]) => {
    const narrowest = Math.min(...replicas.map((r) => r.accelerators.length));
    const wide = hosts.filter((h) => h.accelerators.filter((k) => k === kind).length >= narrowest);
    return Math.min(replicas.length, wide.filter((h) => pinned.length === 0 || pinned.includes(h.name)).length);
  });
  return ofKinds.reduce((sum, n) => sum + n, 0);
}
