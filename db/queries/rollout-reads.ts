/** Rollouts to be read, newest first. */
import { and, desc, eq, sql } from 'drizzle-orm';
import { notFound } from '../../core/domain/errors.ts';
import type { RolloutPhase } from '../../core/domain/rollout.ts';
import type { Executor } from '../client.ts';
import { rollouts } from '../schema/index.ts';
import { type Page, type PageRequest, toPage } from './page.ts';

export type RolloutRow = typeof rollouts.$inferSelect;

export async function listRollouts(
  db: Executor,
  page: PageRequest,
  where: { deployment?: string | undefined; phase?: RolloutPhase | undefined },
): Promise<Page<RolloutRow>> {
  const rows = await db
    .select()
    .from(rollouts)
    .where(
      and(
        where.deployment === undefined ? undefined : eq(rollouts.deployment, where.deployment),
        where.phase === undefined ? undefined : eq(sql`${rollouts.status}->>'phase'`, where.phase),
        // Rollouts are never deleted, so the last row of the page before says where this one begins, to the microsecond.
        page.after === undefined
          ? undefined
          : sql`(${rollouts.startedAt}, ${rollouts.id}) < (select r.started_at, r.id from ${rollouts} r where r.id = ${page.after})`,
      ),
    )
    .orderBy(desc(rollouts.startedAt), desc(rollouts.id))
    .limit(page.limit + 1);
  return toPage(rows, page, (row) => row.id);
}

/** @throws not-found */
export async function readRollout(db: Executor, id: string): Promise<RolloutRow> {
  const [row] = await db.select().from(rollouts).where(eq(rollouts.id, id));
  if (!row) throw notFound('rollout', id);
  return row;
}
