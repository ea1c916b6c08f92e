/**
 * Engines that ended for want of memory. Each is an entry of the audit trail, by the host as its actor: monitoring counts them, and whoever
 * asks why a replica was started again finds the engine's own words there.
 */
import { and, eq, gte, inArray, sql } from 'drizzle-orm';
import type { Executor } from '../client.ts';
import { audit } from '../schema/index.ts';

export interface OutOfMemoryExit {
  replicaId: string;
  generation: number;
  host: string;
  /** The line that says so. */
  reason: string;
}

const KIND = 'replicas';
const ACTION = 'out-of-memory';

/** Records it once for each generation, however often it is reported. */
export async function recordOutOfMemoryExit(db: Executor, { replicaId, generation, host, reason }: OutOfMemoryExit): Promise<void> {
  const after = JSON.stringify({ generation, reason });
  await db.execute(sql`
    insert into ${audit} (actor, action, kind, name, after)
    select ${`host:${host}`}, ${ACTION}, ${KIND}, ${replicaId}, ${after}::jsonb
    where not exists (
      select from ${audit} where ${audit.kind} = ${KIND} and ${audit.name} = ${replicaId} and ${audit.action} = ${ACTION}
        and (${audit.after}->>'generation')::int = ${generation}
    )`);
}

/** How often the engine of each of these replicas ended so, at `since` or later; those of which none did are left out. */
export async function outOfMemoryExits(db: Executor, replicaIds: readonly string[], since: Date): Promise<Map<string, number>> {
  if (replicaIds.length === 0) return new Map();
  const rows = await db
    .select({ replicaId: audit.name, exits: sql<number>`count(*)::int` })
    .from(audit)
    .where(and(eq(audit.kind, KIND), inArray(audit.name, [...replicaIds]), eq(audit.action, ACTION), gte(audit.at, since)))
    .groupBy(audit.name);
  return new Map(rows.map((row) => [row.replicaId, row.exits]));
}
