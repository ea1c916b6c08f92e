/** Rows for tests that need something to be there which only workflows write. */
import type { Executor } from '../../db/client.ts';
import { replicas } from '../../db/schema/index.ts';

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
