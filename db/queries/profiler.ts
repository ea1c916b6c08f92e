/** What the profiler publishes: snapshots of its output-length model, and step-time coefficients by shape. */
import { and, desc, eq, gte, lt, sql } from 'drizzle-orm';
import { conflict, notFound } from '../../core/domain/errors.ts';
import type { StepTimeProfile } from '../../core/domain/step-time.ts';
import { rolledBack } from '../../core/profiler/roll-back.ts';
import { type ProfilerSnapshot, profilerSnapshotSchema } from '../../core/profiler/snapshot.ts';
import type { Executor } from '../client.ts';
import { profilerSnapshots, stepTimeProfiles as profiles } from '../schema/index.ts';
import { notifyChange } from './changes.ts';
import { type Page, type PageRequest, serialKey, toPage } from './page.ts';

/** NOTIFY channel; its payload is the version just published. */
export const SNAPSHOT_CHANNEL = 'uellm_snapshot';

/** The newest are kept, and of older ones the last of each hour and of each day: enough to go back to before something went wrong. */
const KEPT = { newest: 50, hourlyForHours: 48, dailyForDays: 30 };

/** Why a snapshot was published, and the version that it came from; null for the first. */
export interface Publication {
  /** `learned`, `recalibrated`, `drift`, `rolled back to version 7`. */
  reason: string;
  basedOn: number | null;
}

/** What is known of a snapshot beside its weights. */
export type SnapshotRecord = Omit<typeof profilerSnapshots.$inferSelect, 'snapshot'>;

const recordColumns = {
  version: profilerSnapshots.version,
  scores: profilerSnapshots.scores,
  trainedThroughId: profilerSnapshots.trainedThroughId,
  createdAt: profilerSnapshots.createdAt,
  reason: profilerSnapshots.reason,
  basedOn: profilerSnapshots.basedOn,
};

/** The snapshot in force; null before the first, or when it was written in a layout that this program does not read. */
export async function latestSnapshot(db: Executor): Promise<ProfilerSnapshot | null> {
  const [row] = await db
    .select({ snapshot: profilerSnapshots.snapshot })
    .from(profilerSnapshots)
    .orderBy(desc(profilerSnapshots.version))
    .limit(1);
  return row ? (profilerSnapshotSchema.safeParse(row.snapshot).data ?? null) : null;
}

/** Version of the snapshot in force, 0 before the first: cheap enough to poll. */
export async function latestSnapshotVersion(db: Executor): Promise<number> {
  const [row] = await db
    .select({ version: profilerSnapshots.version })
    .from(profilerSnapshots)
    .orderBy(desc(profilerSnapshots.version))
    .limit(1);
  return row?.version ?? 0;
}

/**
 * Puts a snapshot in force, tells gateways and profilers, and prunes old ones, in one transaction.
 * @returns false where this version was published already: somebody else trains too, and was first
 */
export async function publishSnapshot(
  db: Executor,
  snapshot: ProfilerSnapshot,
  scores: Record<string, unknown>,
  { reason, basedOn }: Publication = { reason: 'learned', basedOn: null },
): Promise<boolean> {
  const { version, trainedThroughId } = snapshot;
  return db.transaction(async (tx) => {
    const inserted = await tx
      .insert(profilerSnapshots)
      .values({ version, snapshot: { ...snapshot }, scores, trainedThroughId, reason, basedOn })
      .onConflictDoNothing()
      .returning({ version: profilerSnapshots.version });
    if (inserted.length === 0) return false;
    await prune(tx, version);
    await tx.execute(sql`select pg_notify(${SNAPSHOT_CHANNEL}, ${String(version)})`);
    await notifyChange(tx, 'profiler');
    return true;
  });
}

async function prune(tx: Executor, latest: number): Promise<void> {
  const lastOfEach = (unit: 'hour' | 'day', count: number) => sql`
    select max(version) from ${profilerSnapshots}
    where created_at > now() - ${`${count} ${unit}s`}::interval group by date_trunc(${unit}, created_at, 'UTC')`;
  await tx.execute(sql`
    delete from ${profilerSnapshots} where version <= ${latest - KEPT.newest} and version not in (
      ${lastOfEach('hour', KEPT.hourlyForHours)} union all ${lastOfEach('day', KEPT.dailyForDays)})`);
}

/**
 * Puts an earlier snapshot in force again, under a new version. It counts as trained through what the one in force was: whoever goes on from it
 * learns from what comes now, and not again from what spoiled the other.
 * @returns the new version, and the one that it took out of force
 * @throws not-found, and conflict where it is in force already or was written in a layout that this program does not read
 */
export async function rollbackSnapshot(db: Executor, toVersion: number): Promise<{ published: SnapshotRecord; replaced: number }> {
  return db.transaction(async (tx) => {
    // A trainer that publishes meanwhile waits, finds its version taken, and goes on from ours.
    await tx.execute(sql`lock table ${profilerSnapshots} in share row exclusive mode`);
    const [target] = await tx.select().from(profilerSnapshots).where(eq(profilerSnapshots.version, toVersion));
    if (!target) throw notFound('profiler snapshot', String(toVersion));
    const latest = (await latestSnapshotRecord(tx))!;
    if (latest.version === toVersion) throw conflict('profiler snapshot', String(toVersion), 'it is in force already');
    const old = profilerSnapshotSchema.safeParse(target.snapshot);
    if (!old.success)
      throw conflict('profiler snapshot', String(toVersion), 'it has a layout of another release, which this one does not read');
    const snapshot = rolledBack(old.data, latest);
    const publication = { reason: `rolled back to version ${toVersion}`, basedOn: toVersion };
    await publishSnapshot(tx, snapshot, target.scores, publication);
    return { published: await readSnapshotRecord(tx, snapshot.version), replaced: latest.version };
  });
}

/** The version that was published for this reason; null where none was. */
export async function snapshotWithReason(db: Executor, reason: string): Promise<number | null> {
  const [row] = await db.select({ version: profilerSnapshots.version }).from(profilerSnapshots).where(eq(profilerSnapshots.reason, reason));
  return row?.version ?? null;
}

/** Newest first; the first of the first page is the one in force. @param since published then or later; undefined for all */
export async function listSnapshotRecords(db: Executor, page: PageRequest, since?: Date): Promise<Page<SnapshotRecord>> {
  const rows = await db
    .select(recordColumns)
    .from(profilerSnapshots)
    .where(
      and(
        since && gte(profilerSnapshots.createdAt, since),
        page.after === undefined ? undefined : lt(profilerSnapshots.version, serialKey(page.after)),
      ),
    )
    .orderBy(desc(profilerSnapshots.version))
    .limit(page.limit + 1);
  return toPage(rows, page, (row) => String(row.version));
}

/** @throws not-found */
export async function readSnapshotRecord(db: Executor, version: number): Promise<SnapshotRecord> {
  const [row] = await db.select(recordColumns).from(profilerSnapshots).where(eq(profilerSnapshots.version, version));
  if (!row) throw notFound('profiler snapshot', String(version));
  return row;
}

/** Of the snapshot in force; null before the first. */
export async function latestSnapshotRecord(db: Executor): Promise<SnapshotRecord | null> {
  const [row] = await db.select(recordColumns).from(profilerSnapshots).orderBy(desc(profilerSnapshots.version)).limit(1);
  return row ?? null;
}

/** What a calibration run found for a shape; the latest run of a shape counts. */
export interface StepTimeCalibration extends StepTimeProfile {
  /** Mean absolute error of the fit, per cent. */
  errorPercent: number | null;
  /** The replica that it was measured on. */
  replicaId: string | null;
}

export async function upsertStepTimeProfile(db: Executor, profile: StepTimeCalibration): Promise<void> {
  const { model, accelerator, tensorParallel, ...found } = profile;
  await db
    .insert(profiles)
    .values(profile)
    .onConflictDoUpdate({
      target: [profiles.model, profiles.accelerator, profiles.tensorParallel],
      set: { ...found, updatedAt: sql`now()` },
    });
}

export async function stepTimeProfiles(db: Executor): Promise<StepTimeCalibration[]> {
  return db
    .select({
      model: profiles.model,
      accelerator: profiles.accelerator,
      tensorParallel: profiles.tensorParallel,
      source: profiles.source,
      coefficients: profiles.coefficients,
      errorPercent: profiles.errorPercent,
      replicaId: profiles.replicaId,
    })
    .from(profiles)
    .orderBy(profiles.model, profiles.accelerator, profiles.tensorParallel);
}
