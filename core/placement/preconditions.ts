/** What holds a plan back before it begins: too much silence in the fleet, replicas that are not ours to move. */
import type { Refusal } from '../domain/refusal.ts';
import { holdsAccelerators } from '../domain/replica.ts';
import type { PlanInput } from './types.ts';

/** More hosts than this share gone at once: it is more likely that we are away than they. */
const LOST_HOSTS_SHARE = 0.3;

/** When many hosts vanish together, nothing is moved on that account. One host alone is always made good. */
export function tooManyHostsLost({ purpose, hosts }: PlanInput): Refusal[] {
  if (purpose !== 'rebalance' && purpose !== 'replace') return [];
  const known = hosts.filter((h) => !h.external && h.liveness !== 'pending');
  const silent = known.filter((h) => h.liveness !== 'alive');
  if (silent.length <= Math.max(1, LOST_HOSTS_SHARE * known.length)) return [];
  return [
    {
      kind: 'waiting',
      on: 'hosts-lost',
      subject: 'cluster',
      message: `${silent.length} of ${known.length} hosts are silent together (${silent.map((h) => h.name).join(', ')}): nothing moves before it is clear who is away`,
      nearest: `goes on when at most ${Math.max(1, Math.floor(LOST_HOSTS_SHARE * known.length))} are silent`,
    },
  ];
}

/** Replicas on a host to be drained whose deployment is not ours to plan. */
export function unplannedReplicas({ drainHost, deployments, replicas }: PlanInput): Refusal[] {
  const planned = new Set(deployments.map((d) => d.spec.name));
  return replicas
    .filter((r) => r.host === drainHost && holdsAccelerators(r.state) && !planned.has(r.deployment))
    .map((r) => ({
      kind: 'waiting',
      on: 'rollout',
      subject: r.deployment,
      message: `${r.id} cannot leave host ${drainHost}: no revision of ${r.deployment} serves yet`,
      nearest: 'goes on once its rollout has ended',
    }));
}
