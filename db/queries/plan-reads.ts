/** Plans to be read, newest first: the placement history. */
import { and, desc, eq, sql } from 'drizzle-orm';
import type { PlanPurpose } from '../../core/domain/plan.ts';
import type { Executor } from '../client.ts';
import { plans } from '../schema/index.ts';
import { type Page, type PageRequest, toPage } from './page.ts';

export type PlanRow = typeof plans.$inferSelect;

export async function listPlans(
  db: Executor,
  page: PageRequest,
  where: { purpose?: PlanPurpose | undefined; subject?: string | undefined },
): Promise<Page<PlanRow>> {
  const rows = await db
    .select()
    .from(plans)
    .where(
      and(
        where.purpose === undefined ? undefined : eq(plans.purpose, where.purpose),
        where.subject === undefined ? undefined : eq(plans.subject, where.subject),
        // Plans are never deleted, so the last row of the page before says where this one begins, to the microsecond.
        page.after === undefined
          ? undefined
          : sql`(${plans.createdAt}, ${plans.id}) < (select p.created_at, p.id from ${plans} p where p.id = ${page.after})`,
      ),
    )
    .orderBy(desc(plans.createdAt), desc(plans.id))
    .limit(page.limit + 1);
  return toPage(rows, page, (row) => row.id);
}
