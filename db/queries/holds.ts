/** What a rebalance leaves alone: deployments that a rollout is changing, and those that a drain is moving. */
import { and, eq, isNull } from 'drizzle-orm';
import type { Refusal } from '../../core/domain/refusal.ts';
import type { Executor } from '../client.ts';
import { hosts, replicas, rollouts } from '../schema/index.ts';

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
  ];
}

function holdOf(on: 'rollout' | 'drain', deployment: string, message: string): Hold {
  return { deployment, refusal: { kind: 'waiting', on, subject: deployment, message, nearest: 'goes on once it has ended' } };
}
