/** Placements as plans left them, out of the replicas' own rows: what a plan wanted and did not get is not in them. */
import { and, asc, desc, eq, gt, inArray, isNull, lte, or, sql } from 'drizzle-orm';
import type { Placed } from '../../core/domain/placement-diff.ts';
import type { Executor } from '../client.ts';
import { plans, replicas } from '../schema/index.ts';
import type { PlanRow } from './plans.ts';

/** Whoever a plan retires is gone within this time, or was kept. */
const RETIRED_WITHIN_HOURS = 24;
const MOST_BETWEEN = 500;

const isApplied = ({ state }: Pick<PlanRow, 'state'>) => state === 'applied' || state === 'trimmed';
const momentOf = ({ appliedAt, createdAt }: PlanRow) => appliedAt ?? createdAt;

/** Where everything stands once a plan is carried out; of one that was not applied, where it would stand. */
export async function placementAfter(db: Executor, plan: PlanRow): Promise<Placed[]> {
  const moment = momentOf(plan);
  const rows = await db
    .select({
      replicaId: replicas.id,
      deployment: replicas.deployment,
      revision: replicas.revision,
      host: replicas.host,
      accelerators: replicas.accelerators,
      acceleratorKind: replicas.acceleratorKind,
      tensorParallel: replicas.tensorParallel,
      planId: replicas.planId,
    })
    .from(replicas)
    .where(
      and(
        // A plan reserves what it places in its own transaction, whose clock began before.
        or(lte(replicas.createdAt, moment), eq(replicas.planId, plan.id)),
        or(isNull(replicas.endedAt), gt(replicas.endedAt, moment)),
      ),
    )
    .orderBy(asc(replicas.id));
  const own = isApplied(plan) ? [] : plan.moves.filter((move) => move.kind === 'place');
  const here = new Set([...rows.map((row) => row.replicaId), ...own.map((move) => move.replicaId)]);
  const leaving = new Set([...(await retiredBefore(db, moment)), plan].flatMap((by) => leavingBy(by, here)));
  const standing = rows.map(({ planId: _, ...row }): Placed => row);
  const wanted = own.map(
    ({ replicaId, deployment, revision, host, accelerators, acceleratorKind, tensorParallel }): Placed => ({
      ...{ replicaId, deployment, revision, host, accelerators, acceleratorKind, tensorParallel },
    }),
  );
  return [...standing, ...wanted].filter((replica) => !leaving.has(replica.replicaId));
}

async function retiredBefore(db: Executor, moment: Date): Promise<Pick<PlanRow, 'moves'>[]> {
  const since = sql`${moment.toISOString()}::timestamptz - make_interval(hours => ${RETIRED_WITHIN_HOURS})`;
  return db
    .select({ moves: plans.moves })
    .from(plans)
    .where(and(inArray(plans.state, ['applied', 'trimmed']), gt(plans.appliedAt, since), lte(plans.appliedAt, moment)));
}

/** What leaves by a plan, if what was to serve in its place is there: of a plan that was trimmed some may not be. */
function leavingBy({ moves }: Pick<PlanRow, 'moves'>, here: ReadonlySet<string>): string[] {
  return moves.flatMap((move) => {
    if (move.kind === 'retire') return (move.after ?? []).every((id) => here.has(id)) ? [move.replicaId] : [];
    return move.replaces && here.has(move.replicaId) ? [move.replaces] : [];
  });
}

/** Plans that were applied after one and up to another, oldest first; the last is among them even if it was not applied. */
export async function plansFrom(db: Executor, from: PlanRow, to: PlanRow): Promise<PlanRow[]> {
  const between = await db
    .select()
    .from(plans)
    .where(and(inArray(plans.state, ['applied', 'trimmed']), gt(plans.appliedAt, momentOf(from)), lte(plans.appliedAt, momentOf(to))))
    .orderBy(desc(plans.appliedAt))
    .limit(MOST_BETWEEN);
  return [...between.reverse().filter((plan) => plan.id !== to.id && plan.id !== from.id), to];
}
