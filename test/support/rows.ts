/** Rows for tests that need something to be there which only workflows write. */
import type { Executor } from '../../db/client.ts';
import { proposals, replicas } from '../../db/schema/index.ts';

type ReplicaInsert = typeof replicas.$inferInsert;

/** A ready replica of llama-3.1-8b on h1's first accelerator, with what the test is about. */
export async function aReplica(db: Executor, fields: Partial<ReplicaInsert> & { id: string }): Promise<void> {
  await db.insert(replicas).values({
    model: 'llama-3.1-8b',
    deployment: 'chat',
    revision: 1,
    host: 'h1',
    accelerators: [0],
    acceleratorKind: 'H100-SXM',
    tensorParallel: 1,
    engine: 'simulated',
    endpoint: 'http://127.0.0.1:1',
    state: 'ready',
    weight: 100,
    simulated: true,
    ...fields,
  });
}

/** An open proposal for deployment chat that may be approved for an hour. */
export async function aProposal(db: Executor, fields: Partial<typeof proposals.$inferInsert> & { id: string }): Promise<void> {
  await db.insert(proposals).values({
    ...{
      deployment: 'chat',
      kind: 'rebalance',
      state: 'open',
      summary: 'rebalance chat: chat on h2',
      reasons: ['chat: 6.0 req/s forecast'],
    },
    ...{ basis: { revision: 1, generations: {} }, fingerprint: '+ h2', expiresAt: new Date(Date.now() + 3_600_000) },
    ...fields,
  });
}
