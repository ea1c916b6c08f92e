/** What the profiler publishes: snapshots of its output-length model, and step-time coefficients by shape. */
import { desc, lte, sql } from 'drizzle-orm';
import type { StepTimeProfile } from '../../core/domain/step-time.ts';
import { type ProfilerSnapshot, profilerSnapshotSchema } from '../../core/profiler/snapshot.ts';
import type { Executor } from '../client.ts';
import { profilerSnapshots, stepTimeProfiles as profiles } from '../schema/index.ts';

/** NOTIFY channel; its payload is the version just published. */
export const SNAPSHOT_CHANNEL = 'uellm_snapshot';

const SNAPSHOTS_KEPT = 50;

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
export async function publishSnapshot(db: Executor, snapshot: ProfilerSnapshot, scores: Record<string, unknown>): Promise<boolean> {
  const { version, trainedThroughId } = snapshot;
  return db.transaction(async (tx) => {
    const inserted = await tx
      .insert(profilerSnapshots)
      .values({ version, snapshot: { ...snapshot }, scores, trainedThroughId })
      .onConflictDoNothing()
      .returning({ version: profilerSnapshots.version });
    if (inserted.length === 0) return false;
    await tx.delete(profilerSnapshots).where(lte(profilerSnapshots.version, version - SNAPSHOTS_KEPT));
    await tx.execute(sql`select pg_notify(${SNAPSHOT_CHANNEL}, ${String(version)})`);
    return true;
  });
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
