/**
 * Follows the observations and publishes snapshots. One process trains, by a lock in Postgres; the others follow what it publishes and
 * take over when it is gone. The learner's state is the snapshot itself (`learner.ts`), so a successor goes on from the last published one,
 * and learns again what came after it. While that does not work, for want of Postgres as a rule, nothing happens here but retries.
 */
import type { Logger } from 'pino';
import type { Recalibration } from '../core/profiler/recalibrate.ts';
import { COLD_START_SNAPSHOT, type ProfilerSnapshot } from '../core/profiler/snapshot.ts';
import type { DatabaseConnection } from '../db/client.ts';
import { listen } from '../db/listen.ts';
import { DELETION_CHANNEL } from '../db/queries/observation-deletion.ts';
import { OBSERVATIONS_CHANNEL, observationsAfter } from '../db/queries/observations.ts';
import { latestSnapshot, latestSnapshotVersion, SNAPSHOT_CHANNEL } from '../db/queries/profiler.ts';
import { sessionLock } from '../db/session-lock.ts';
import { createBell } from './bell.ts';
import { Learner, MOST_BEHIND } from './learner.ts';
import type { ProfilerMetrics } from './metrics.ts';
import { publishRecalibration } from './recalibration.ts';
import { NOT_CONNECTED, silence, type Trouble, troubleOf } from './trouble.ts';

export interface Trainer {
  /** The snapshot in force, as far as this process knows. */
  snapshot(): ProfilerSnapshot;
  /** Is this the process that trains? */
  trains(): boolean;
  /** Why it does not go on; null where it does. Predictions go on by the last snapshot. */
  trouble(): Trouble | null;
  /**
   * Multiplies lengths at once, in a snapshot of its own. Again with the same id changes nothing.
   * @returns the version that has it
   */
  recalibrate(recalibration: Recalibration, correctionId: string): Promise<number>;
  close(): Promise<void>;
}

const SILENT_MS = 5000;

/** Of the processes that hold this advisory lock one trains. */
const TRAINER_LOCK = 0x7565_6c74; // 'uelt'

const BATCH = 500;
/** Between two publications, since every gateway reads each. */
const PUBLISH_PAUSE_MS = 1000;
const POLL_MS = 2000;
/** Notices come with every batch of every gateway: one round serves all of a moment. */
const ROUND_GAP_MS = 200;

export function startTrainer(options: {
  database: DatabaseConnection;
  logger: Logger;
  metrics: ProfilerMetrics;
  silentMs?: number;
  mostBehind?: number;
}): Trainer {
  const { database, logger, metrics, silentMs = SILENT_MS, mostBehind = MOST_BEHIND } = options;
  const { db } = database;
  const lock = sessionLock(database.pool, TRAINER_LOCK);
  const bell = createBell();
  let inForce = COLD_START_SNAPSHOT;
  let learner: Learner | null = null;
  let seenVersion = 0;
  let trouble: Trouble | null = NOT_CONNECTED;
  /** Observations that were read are deleted: the window is to be read anew. */
  let isWindowStale = false;
  let pausesUntilMs = 0;
  /** Since when an answer of Postgres is waited for; null between two rounds. */
  let waitsSinceMs: number | null = null;
  let closing = false;

  const putInForce = (snapshot: ProfilerSnapshot) => {
    inForce = snapshot;
    seenVersion = snapshot.version;
    metrics.inForce(snapshot);
  };

  const follow = async () => {
    const version = await latestSnapshotVersion(db);
    if (version === seenVersion) return;
    seenVersion = version;
    const published = await latestSnapshot(db);
    if (published) putInForce(published);
    else logger.warn({ version }, 'the latest snapshot has a layout of another release: keeping to the one before');
  };

  const resume = async () => {
    const resumed = await Learner.resume({ db, logger, metrics, mostBehind });
    putInForce(resumed.champion);
    return resumed;
  };

  const publish = async (current: Learner) => {
    pausesUntilMs = performance.now() + PUBLISH_PAUSE_MS;
    if (await current.publish()) putInForce(current.champion);
    else learner = null;
  };

  const round = async () => {
    const hold = await lock.tryHold();
    if (hold !== 'held') learner = null;
    if (hold === 'busy') return follow();
    if (learner && (await latestSnapshotVersion(db)) !== learner.champion.version) {
      logger.info('somebody published another snapshot: going on from that');
      learner = null;
    }
    if (isWindowStale) learner = null;
    isWindowStale = false;
    learner ??= await resume();
    for (let more = true; more && learner && !closing && !isWindowStale; ) {
      waitsSinceMs = performance.now();
      const batch = await observationsAfter(db, learner.trainedThroughId, BATCH);
      // To learn takes its time, too: that is not Postgres'.
      waitsSinceMs = null;
      await learner.learn(batch);
      waitsSinceMs = performance.now();
      if (learner.isDue && !isWindowStale && performance.now() >= pausesUntilMs) await publish(learner);
      more = batch.length === BATCH;
    }
  };

  const run = async () => {
    while (!closing) {
      waitsSinceMs = performance.now();
      try {
        await round();
        if (trouble) logger.info('training goes on');
        trouble = null;
      } catch (error) {
        const found = troubleOf(error);
        if (found.reason !== trouble?.reason) logger[found.isOutage ? 'warn' : 'error'](`${found.reason}: predicting by the last snapshot`);
        trouble = found;
        learner = null;
      }
      waitsSinceMs = null;
      metrics.trains.set(learner ? 1 : 0);
      const pauseMs = learner?.isDue ? Math.max(0, pausesUntilMs - performance.now()) : POLL_MS;
      if (!closing) await bell.wait(ROUND_GAP_MS, ROUND_GAP_MS + Math.min(POLL_MS, pauseMs));
    }
  };

  const listening = listen(database.pool, [OBSERVATIONS_CHANNEL, SNAPSHOT_CHANNEL, DELETION_CHANNEL], {
    onNotice(channel) {
      if (channel === DELETION_CHANNEL) isWindowStale = true;
      bell.ring();
    },
    onConnected: bell.ring,
    onError: (error) => logger.debug({ err: error }, 'lost the connection that listens'),
  });
  const running = run();

  return {
    recalibrate: (recalibration, correctionId) => publishRecalibration(db, recalibration, correctionId),
    snapshot: () => inForce,
    trains: () => learner !== null,
    trouble: () => trouble ?? silence(waitsSinceMs, silentMs),
    async close() {
      closing = true;
      bell.ring();
      await Promise.all([running, listening.close()]);
      await lock.release();
    },
  };
}
