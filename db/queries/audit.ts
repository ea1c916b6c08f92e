/** The audit trail: who changed what. A row is written in the transaction of its change, so there is neither without the other. */
import { and, desc, eq, lt } from 'drizzle-orm';
import { notFound } from '../../core/domain/errors.ts';
import type { Executor } from '../client.ts';
import { audit } from '../schema/index.ts';
import { type Page, type PageRequest, serialKey, toPage } from './page.ts';

export type AuditRow = typeof audit.$inferSelect;

export interface AuditEntry {
  actor: string;
  /** `create`, `replace`, `delete`, `rollout`, `drain`, ... */
  action: string;
  /** Kind of the object, as in its address: `hosts`, `rollouts`, ... */
  kind: string;
  name: string;
  before?: unknown;
  after?: unknown;
}

export async function recordAudit(db: Executor, entry: AuditEntry): Promise<void> {
  await db.insert(audit).values(entry);
}

/** Newest first. */
export async function listAudit(
  db: Executor,
  page: PageRequest,
  where: { kind?: string | undefined; name?: string | undefined },
): Promise<Page<AuditRow>> {
  const rows = await db
    .select()
    .from(audit)
    .where(
      and(
        where.kind === undefined ? undefined : eq(audit.kind, where.kind),
        where.name === undefined ? undefined : eq(audit.name, where.name),
        page.after === undefined ? undefined : lt(audit.id, serialKey(page.after)),
      ),
    )
    .orderBy(desc(audit.id))
    .limit(page.limit + 1);
  return toPage(rows, page, (row) => String(row.id));
}

/** @throws not-found */
export async function loadAudit(db: Executor, id: number): Promise<AuditRow> {
  const [row] = await db.select().from(audit).where(eq(audit.id, id));
  if (!row) throw notFound('audit entry', String(id));
  return row;
}
