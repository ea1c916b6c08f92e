/** The evidence of a canary: outcomes of the new revision beside those of the others. */
import { and, eq, gte, sql } from 'drizzle-orm';
import type { Executor } from '../client.ts';
import { observations } from '../schema/index.ts';

export interface RevisionOutcomes {
  requests: number;
  failed: number;
  attained: number;
}

/** Cancelled requests say nothing and are left out. */
export async function compareRevisions(
  db: Executor,
  deployment: string,
  revision: number,
  since: Date,
): Promise<{ canary: RevisionOutcomes; stable: RevisionOutcomes }> {
  const isCanary = sql<boolean>`${observations.revision} = ${revision}`;
  const rows = await db
    .select({
      canary: isCanary,
      requests: sql<number>`count(*)::int`,
      failed: sql<number>`(count(*) filter (where ${observations.outcome} = 'failed'))::int`,
      attained: sql<number>`(count(*) filter (where ${observations.attained}))::int`,
    })
    .from(observations)
    .where(
      and(
        eq(observations.deployment, deployment),
        gte(observations.acceptedAt, since),
        sql`${observations.outcome} in ('ok', 'failed')`,
        sql`${observations.revision} is not null`,
      ),
    )
    .groupBy(sql`1`); // the first column: the same expression again would have a parameter of its own
  const of = (canary: boolean): RevisionOutcomes => {
    const row = rows.find((r) => r.canary === canary);
    return { requests: row?.requests ?? 0, failed: row?.failed ?? 0, attained: row?.attained ?? 0 };
  };
  return { canary: of(true), stable: of(false) };
}
