/** What holds a plan back before it begins: too much silence in the fleet, replicas that are not ours to move. */
import { massSilence } from '../domain/mass-silence.ts';
import type { Refusal } from '../domain/refusal.ts';
import { holdsAccelerators } from '../domain/replica.ts';
import type { PlanInput } from './types.ts';

/** When many hosts vanish together, nothing is moved on that account. One host alone is always made good. */
export function tooManyHostsLost({ purpose, hosts, replicas }: PlanInput): Refusal[] {
  if (purpose !== 'rebalance' && purpose !== 'replace') return [];
  const holding = new Set(replicas.filter((r) => holdsAccelerators(r.state)).map((r) => r.host));
  const together = massSilence(hosts, holding);
  if (!together) return [];
  const { silent, known, allowed } = together;
  return [
    {
      kind: 'waiting',
      on: 'hosts-lost',
      subject: 'cluster',
      message: `${silent.length} of ${known} hosts are silent together (${silent.join(', ')}): nothing moves before it is clear who is away`,
      nearest: `goes on when at most ${allowed} are silent`,
    },
  ];
}

/** Replicas on a host to be drained whose deployment is not ours to plan. */
export function unplannedReplicas({ drainHost, deployments, replicas, undeclared = [] }: PlanInput): Refusal[] {
  const planned = new Set([...deployments.map((d) => d.spec.name), ...undeclared]);
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
