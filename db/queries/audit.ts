/** The audit trail: who changed what. A row is written in the transaction of its change, so there is neither without the other. */
import { and, desc, eq, gte, lt } from 'drizzle-orm';
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
  /** Whose the object is; the fleet's where absent. */
  tenant?: string | null;
  before?: unknown;
  after?: unknown;
}

export async function recordAudit(db: Executor, entry: AuditEntry): Promise<void> {
  await db.insert(audit).values(entry);
}

export interface AuditFilter {
  actor?: string | undefined;
  action?: string | undefined;
  kind?: string | undefined;
  name?: string | undefined;
  /** Only what concerns this tenant; null for everything. */
  tenant?: string | null | undefined;
  since?: Date | undefined;
  until?: Date | undefined;
}

/** Newest first. */
export async function listAudit(db: Executor, page: PageRequest, where: AuditFilter): Promise<Page<AuditRow>> {
  const { actor, action, kind, name, tenant, since, until } = where;
  const rows = await db
    .select()
    .from(audit)
    .where(
      and(
        actor === undefined ? undefined : eq(audit.actor, actor),
        action === undefined ? undefined : eq(audit.action, action),
        kind === undefined ? undefined : eq(audit.kind, kind),
        name === undefined ? undefined : eq(audit.name, name),
        ofTenant(tenant),
        since === undefined ? undefined : gte(audit.at, since),
        until === undefined ? undefined : lt(audit.at, until),
        page.after === undefined ? undefined : lt(audit.id, serialKey(page.after)),
      ),
    )
    .orderBy(desc(audit.id))
    .limit(page.limit + 1);
  return toPage(rows, page, (row) => String(row.id));
}

/** @param tenant whom it has to concern; null for any @throws not-found */
export async function loadAudit(db: Executor, id: number, tenant: string | null): Promise<AuditRow> {
  const [row] = await db
    .select()
    .from(audit)
    .where(and(eq(audit.id, id), ofTenant(tenant)));
  if (!row) throw notFound('audit entry', String(id));
  return row;
}

const ofTenant = (tenant: string | null | undefined) => (tenant == null ? undefined : eq(audit.tenant, tenant));
