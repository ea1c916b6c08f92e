/** Replicas to be read: living ones first, then those that ended. */
import { and, eq, inArray, type SQL, sql } from 'drizzle-orm';
import type { ReplicaState } from '../../core/domain/replica.ts';
import type { Executor } from '../client.ts';
import { replicas } from '../schema/index.ts';
import { badCursor, type Page, type PageRequest, toPage } from './page.ts';
import type { ReplicaRow } from './replicas.ts';

export interface ReplicaFilter {
  deployment?: string | undefined;
  host?: string | undefined;
  model?: string | undefined;
  states?: readonly ReplicaState[] | undefined;
}

const ended = sql<boolean>`(${replicas.endedAt} is not null)`;

export async function listReplicas(db: Executor, page: PageRequest, where: ReplicaFilter): Promise<Page<ReplicaRow>> {
  const rows = await db
    .select()
    .from(replicas)
    .where(
      and(
        where.deployment === undefined ? undefined : eq(replicas.deployment, where.deployment),
        where.host === undefined ? undefined : eq(replicas.host, where.host),
        where.model === undefined ? undefined : eq(replicas.model, where.model),
        where.states === undefined ? undefined : inArray(replicas.state, [...where.states]),
        page.after === undefined ? undefined : behind(page.after),
      ),
    )
    .orderBy(ended, replicas.id)
    .limit(page.limit + 1);
  return toPage(rows, page, (row) => `${row.endedAt ? 'ended' : 'living'}:${row.id}`);
}

function behind(after: string): SQL {
  const [, half, id] = /^(living|ended):(.+)$/.exec(after) ?? [];
  if (id === undefined) throw badCursor(after);
  return sql`(${ended}, ${replicas.id}) > (${half === 'ended'}::boolean, ${id}::text)`;
}
