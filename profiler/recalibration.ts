/** Publishes a correction of lengths at once, in a snapshot of its own: any process may, and the one that trains goes on from there. */
import { UellmError } from '../core/domain/errors.ts';
import { type Recalibration, recalibrate } from '../core/profiler/recalibrate.ts';
import { reportScores } from '../core/profiler/scores.ts';
import { COLD_START_SNAPSHOT } from '../core/profiler/snapshot.ts';
import type { Database } from '../db/client.ts';
import { latestSnapshot, latestSnapshotVersion, publishSnapshot, snapshotWithReason } from '../db/queries/profiler.ts';

const ATTEMPTS = 5;

/** Again with the same id changes nothing. @returns the version that has it @throws unavailable */
export async function publishRecalibration(db: Database, recalibration: Recalibration, correctionId: string): Promise<number> {
  const { model, class: name, factor } = recalibration;
  const reason = `lengths of ${model}${name === null ? '' : ` (${name})`} x ${factor.toPrecision(3)}: correction ${correctionId}`;
  for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
    const latest = (await latestSnapshot(db)) ?? { ...COLD_START_SNAPSHOT, version: await latestSnapshotVersion(db) };
    // Asked after that: who publishes the same between the two is found, and who does later has taken our version.
    const done = await snapshotWithReason(db, reason);
    if (done !== null) return done;
    const snapshot = { ...recalibrate(latest, recalibration), version: latest.version + 1 };
    if (await publishSnapshot(db, snapshot, reportScores(snapshot), { reason, basedOn: latest.version || null })) return snapshot.version;
  }
  throw new UellmError({ kind: 'unavailable', what: 'the profiler', reason: 'others kept publishing snapshots; try again' });
}
