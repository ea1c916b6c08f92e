/** What a rebalance leaves alone: deployments that a rollout is changing, those that a drain is moving, and those whose mode is not `auto`. */
import { and, eq, isNull } from 'drizzle-orm';
import type { Refusal } from '../../core/domain/refusal.ts';
import type { Executor } from '../client.ts';
import { hosts, replicas, rollouts } from '../schema/index.ts';
import { SKIPPED_IN_SHADOW, watchedDeployments } from './modes.ts';

export interface Hold {
  deployment: string;
  /** Who holds it, in the words of every other refusal. */
  refusal: Refusal;
}

export async function holdsOnRebalance(db: Executor): Promise<Hold[]> {
  const open = await db
    .select({ id: rollouts.id, deployment: rollouts.deployment })
    .from(rollouts)
    .where(isNull(rollouts.endedAt))
    .orderBy(rollouts.id);
  const leaving = await db
    .selectDistinct({ host: hosts.name, deployment: replicas.deployment })
    .from(hosts)
    .innerJoin(replicas, and(eq(replicas.host, hosts.name), isNull(replicas.endedAt)))
    .where(eq(hosts.service, 'draining'))
    .orderBy(hosts.name, replicas.deployment);
  return [
    ...open.map(({ id, deployment }) => holdOf('rollout', deployment, `rollout ${id} is changing ${deployment}`)),
    ...leaving.map(({ host, deployment }) => holdOf('drain', deployment, `the drain of host ${host} is moving ${deployment}`)),
    ...(await watchedDeployments(db)).map(({ name, mode }) => ({ deployment: name, refusal: modeRefusal(name, mode) })),
  ];
}

function modeRefusal(subject: string, mode: 'shadow' | 'advise'): Refusal {
  if (mode === 'shadow') return { kind: 'refused', on: 'mode', subject, message: `${subject} ${SKIPPED_IN_SHADOW}` };
  const message = `${subject} moves when an operator approves: the deployment is in advise mode`;
  return { kind: 'waiting', on: 'mode', subject, message, nearest: 'uellm get proposals shows what is proposed' };
}

function holdOf(on: 'rollout' | 'drain', deployment: string, message: string): Hold {
  return { deployment, refusal: { kind: 'waiting', on, subject: deployment, message, nearest: 'goes on once it has ended' } };
}
