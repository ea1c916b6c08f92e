/** Tenants' limits over several gateways: who has which share of them, and what was used of a day. See docs/decisions/0016. */
import { and, eq, gt, inArray, lt, ne, sql } from 'drizzle-orm';
import { grantedShare } from '../../core/scheduler/budget-shares.ts';
import type { Database, Executor } from '../client.ts';
import { type GatewayClaim, tenantShares, tenantUsage } from '../schema/index.ts';

/** One gateway at a time looks at what the others hold. */
const SHARES_LOCK = 0x7368_6172; // 'shar'
/** How often gateways ask. */
export const SHARE_EVERY_MS = 1000;
/** A gateway that has not asked for so long holds nothing. */
const SILENT_AFTER_MS = 3000;
const DAY_MS = 86_400_000;

export interface BudgetState {
  /** How much of the limits the gateway is asked for, 0 to 1. */
  demand: number;
  /** What it holds whatever its share, 0 to 1. */
  openShare: number;
  use: GatewayClaim['use'];
}

export interface SharedBudget {
  /** Above 0, at most 1. */
  share: number;
  /** Used on the day, as far as it is stored. */
  tokens: number;
}

/**
 * Says how much this gateway is asked for of each tenant's limits, and gets its share.
 * @param day in UTC days since 1970
 * @param letGo told of the shares before the other gateways can see them: what is less than before must be in force when it returns
 * @returns for each tenant of `states`; what is more than before holds from now on
 */
export async function shareBudgets(
  db: Database,
  gatewayId: string,
  states: ReadonlyMap<string, BudgetState>,
  day: number,
  letGo: (shares: ReadonlyMap<string, SharedBudget>) => void,
): Promise<Map<string, SharedBudget>> {
  return db.transaction(async (tx) => {
    // Whoever stops in the middle must not hold up the others.
    await tx.execute(sql`set local idle_in_transaction_session_timeout = '2s'`);
    await tx.execute(sql`select pg_advisory_xact_lock(${SHARES_LOCK})`);
    const others = await claimsOfOthers(tx, gatewayId);
    const used = await tokensUsed(tx, [...states.keys()], day);
    const shared = new Map<string, SharedBudget>();
    const claims: Record<string, GatewayClaim> = {};
    for (const [tenant, { demand, openShare, use }] of states) {
      const share = grantedShare(
        demand,
        others.flatMap((claimsOf) => claimsOf[tenant] ?? []),
      );
      shared.set(tenant, { share, tokens: used.get(tenant) ?? 0 });
      claims[tenant] = { held: Math.max(share, openShare), demand, use };
    }
    letGo(shared);
    const renewed = { claims, renewedAt: sql`clock_timestamp()` };
    await tx
      .insert(tenantShares)
      .values({ gatewayId, ...renewed })
      .onConflictDoUpdate({ target: tenantShares.gatewayId, set: renewed });
    return shared;
  });
}

/** Lets go of all shares, for the others to take at once. */
export async function dropShares(db: Executor, gatewayId: string): Promise<void> {
  await db.delete(tenantShares).where(eq(tenantShares.gatewayId, gatewayId));
}

/**
 * What live gateways claim. Silence counts only while this gateway itself could speak: after an outage of Postgres who comes back first
 * takes nothing from the others.
 */
async function claimsOfOthers(tx: Executor, gatewayId: string): Promise<Record<string, GatewayClaim>[]> {
  const own = tx.select({ at: tenantShares.renewedAt }).from(tenantShares).where(eq(tenantShares.gatewayId, gatewayId));
  const heardAt = sql`least(clock_timestamp(), coalesce((${own}) + ${SHARE_EVERY_MS} * interval '1 millisecond', clock_timestamp()))`;
  const rows = await tx
    .select({ claims: tenantShares.claims })
    .from(tenantShares)
    .where(
      and(
        ne(tenantShares.gatewayId, gatewayId),
        gt(tenantShares.renewedAt, sql`${heardAt} - ${SILENT_AFTER_MS} * interval '1 millisecond'`),
      ),
    );
  return rows.map(({ claims }) => claims);
}

async function tokensUsed(tx: Executor, tenants: readonly string[], day: number): Promise<Map<string, number>> {
  if (tenants.length === 0) return new Map();
  const rows = await tx
    .select({ tenant: tenantUsage.tenant, input: tenantUsage.inputTokens, output: tenantUsage.outputTokens })
    .from(tenantUsage)
    .where(and(inArray(tenantUsage.tenant, [...tenants]), eq(tenantUsage.day, dateOf(day))));
  return new Map(rows.map(({ tenant, input, output }) => [tenant, input + output]));
}

export interface TenantUsage {
  /** Of all gateways together; null of a tenant without limits: nobody counts. */
  requestsPerMinute: number | null;
  tokensPerMinute: number | null;
  requestsInFlight: number | null;
  requestsToday: number;
  tokensToday: number;
}

const UNCOUNTED = { requestsPerMinute: null, tokensPerMinute: null, requestsInFlight: null };

/** What tenants use, for whoever looks. @param day in UTC days since 1970 */
export async function tenantUse(db: Executor, names: readonly string[], day: number): Promise<(tenant: string) => TenantUsage> {
  const stored = await db
    .select()
    .from(tenantUsage)
    .where(and(inArray(tenantUsage.tenant, [...names]), eq(tenantUsage.day, dateOf(day))));
  const today = new Map(stored.map((row) => [row.tenant, row]));
  const live = await db
    .select({ claims: tenantShares.claims })
    .from(tenantShares)
    .where(gt(tenantShares.renewedAt, sql`now() - ${SILENT_AFTER_MS} * interval '1 millisecond'`));
  return (tenant) => {
    const row = today.get(tenant);
    const uses = live.flatMap(({ claims }) => claims[tenant]?.use ?? []);
    const sum = (field: keyof GatewayClaim['use']) => uses.reduce((total, use) => total + use[field], 0);
    return {
      ...(uses.length === 0
        ? UNCOUNTED
        : {
            requestsPerMinute: sum('requestsPerMinute'),
            tokensPerMinute: sum('tokensPerMinute'),
            requestsInFlight: sum('requestsInFlight'),
          }),
      requestsToday: row?.requests ?? 0,
      tokensToday: row ? row.inputTokens + row.outputTokens : 0,
    };
  };
}

/** Removes what is older than so many days, and what gateways that died left behind. @returns how many days of tenants */
export async function pruneTenantUsage(db: Executor, today: number, days: number): Promise<number> {
  const { rowCount } = await db.delete(tenantUsage).where(lt(tenantUsage.day, dateOf(today - days)));
  await db.delete(tenantShares).where(lt(tenantShares.renewedAt, sql`now() - interval '1 hour'`));
  return rowCount ?? 0;
}

const dateOf = (day: number) => new Date(day * DAY_MS).toISOString().slice(0, 10);
