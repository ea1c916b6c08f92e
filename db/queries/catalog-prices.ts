/** The catalog's prices as they change, in the audit trail, where reports find what held at a time. */
import { isDeepStrictEqual } from 'node:util';
import { desc, eq, sql } from 'drizzle-orm';
import type { Database } from '../client.ts';
import { audit } from '../schema/index.ts';
import { recordAudit } from './audit.ts';

/** What audit rows call it. */
export const CATALOG_KIND = 'accelerators';

const CATALOG_LOCK = 0x7565_6c63; // 'uelc'

/** Writes down what the catalog says now, where that is not what it said last. @param prices USD an hour by kind */
export async function recordCatalogPrices(db: Database, prices: Readonly<Record<string, number>>): Promise<void> {
  await db.transaction(async (tx) => {
    await tx.execute(sql`select pg_advisory_xact_lock(${CATALOG_LOCK})`);
    const [last] = await tx
      .select({ prices: audit.after })
      .from(audit)
      .where(eq(audit.kind, CATALOG_KIND))
      .orderBy(desc(audit.id))
      .limit(1);
    if (isDeepStrictEqual(last?.prices, prices)) return;
    await recordAudit(tx, { actor: 'uellm', action: 'replace', kind: CATALOG_KIND, name: 'catalog', before: last?.prices, after: prices });
  });
}
