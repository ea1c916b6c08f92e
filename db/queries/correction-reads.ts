/** Corrections to be read, newest first. */
import { and, desc, eq, lt } from 'drizzle-orm';
import { notFound } from '../../core/domain/errors.ts';
import type { Executor } from '../client.ts';
import { corrections } from '../schema/index.ts';
import { filteredBy, type Page, type PageRequest, serialKey, toPage } from './page.ts';

export type CorrectionRow = typeof corrections.$inferSelect;

export interface CorrectionFilter {
  kind?: string | undefined;
  subject?: string | undefined;
  state?: CorrectionRow['state'] | undefined;
}

export async function listCorrections(db: Executor, page: PageRequest, where: CorrectionFilter = {}): Promise<Page<CorrectionRow>> {
  const rows = await db
    .select()
    .from(corrections)
    .where(
      and(
        filteredBy(corrections.kind, where.kind),
        filteredBy(corrections.subject, where.subject),
        filteredBy(corrections.state, where.state),
        page.after === undefined ? undefined : lt(corrections.id, serialKey(page.after)),
      ),
    )
    .orderBy(desc(corrections.id))
    .limit(page.limit + 1);
  return toPage(rows, page, (row) => String(row.id));
}

/** @throws not-found */
export async function readCorrection(db: Executor, id: number): Promise<CorrectionRow> {
  const [row] = await db.select().from(corrections).where(eq(corrections.id, id));
  if (!row) throw notFound('correction', String(id));
  return row;
}
