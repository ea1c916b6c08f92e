/**
 * Follows the observations and publishes snapshots. One process trains, by a lock in Postgres; the others follow what it publishes and
 * take over when it is gone. The learner's state is the snapshot itself, so a successor goes on from the last published one, and learns
 * again what came after it. While that does not work, for want of Postgres as a rule, nothing happens here but retries.
 */
import { setImmediate as breathe } from 'node:timers/promises';
import type { Logger } from 'pino';
import { UellmError } from '../core/domain/errors.ts';
import type { Observation } from '../core/domain/observation.ts';
import { type Duel, judge, NO_DUEL, reasonOf, resultOf } from '../core/profiler/duel.ts';
import type { StoredObservation } from '../core/profiler/learn.ts';
import { type Recalibration, recalibrate } from '../core/profiler/recalibrate.ts';
import { isForgotten } from '../core/profiler/roll-back.ts';
import { reportScores } from '../core/profiler/scores.ts';
import { COLD_START_SNAPSHOT, type ProfilerSnapshot } from '../core/profiler/snapshot.ts';
import { unpackSketch } from '../core/profiler/text/pack.ts';
import { Training } from '../core/profiler/training.ts';
import type { DatabaseConnection } from '../db/client.ts';
import { listen } from '../db/listen.ts';
import { databaseOutage, queryTrouble } from '../db/outage.ts';
import { DELETION_CHANNEL } from '../db/queries/observation-deletion.ts';
import { idBefore, OBSERVATIONS_CHANNEL, observationsAfter, observationsThrough } from '../db/queries/observations.ts';
import { latestSnapshot, latestSnapshotVersion, publishSnapshot, SNAPSHOT_CHANNEL, snapshotWithReason } from '../db/queries/profiler.ts';
import { sessionLock } from '../db/session-lock.ts';
import type { ProfilerMetrics } from './metrics.ts';

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

export interface Trouble {
  /** Is it Postgres that does not answer? */
  isOutage: boolean;
  /** For people. */
  reason: string;
}

const NOT_CONNECTED: Trouble = { isOutage: true, reason: 'Postgres was not asked yet' };
/** A server that hangs closes no connection: one that answers nothing for so long counts as away. */
const SILENT_MS = 5000;

/** Of the processes that hold this advisory lock one trains. */
const TRAINER_LOCK = 0x7565_6c74; // 'uelt'

const BATCH = 500;
/** Champion and challenger are compared before each so many observations are learned from. */
const JUDGED_AT_ONCE = 16;
/** Observations read back at the start, for the window that words are fitted to. */
const READ_BACK = 8192;
/** Who is further behind than this goes on from here: older traffic would take minutes to learn and tell little of today's. */
export const MOST_BEHIND = 50_000;
/** A snapshot is published after so many observations, or so long after the first of them. */
const PUBLISH_AFTER = { observations: 50, ms: 10_000 };
/** Between two publications, since every gateway reads each. */
const PUBLISH_PAUSE_MS = 1000;
const POLL_MS = 2000;
const PUBLISH_ATTEMPTS = 5;
/** Notices come with every batch of every gateway: one round serves all of a moment. */
const ROUND_GAP_MS = 200;

interface Learner {
  /** The published snapshot that it started from or last published. */
  champion: ProfilerSnapshot;
  /** The challenger: ahead of the champion by `unpublished` observations. */
  training: Training;
  duel: Duel;
  unpublished: number;
  publishedAtMs: number;
}

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

  const resume = async (): Promise<Learner> => {
    const published = await latestSnapshot(db);
    const snapshot = published ?? { ...COLD_START_SNAPSHOT, version: await latestSnapshotVersion(db) };
    putInForce(snapshot);
    const from = await idBefore(db, mostBehind);
    const isFarBehind = from > snapshot.trainedThroughId;
    if (isFarBehind)
      logger.warn(
        { from, trainedThroughId: snapshot.trainedThroughId },
        `older observations than the newest ${mostBehind} are passed over`,
      );
    const training = new Training(isFarBehind ? { ...snapshot, trainedThroughId: from } : snapshot);
    const seen = await observationsThrough(db, snapshot.trainedThroughId, READ_BACK);
    training.remember(seen.filter(({ id }) => !isForgotten(snapshot, id)).map(toStored));
    logger.info({ version: snapshot.version, trainedThroughId: snapshot.trainedThroughId }, 'training from here on');
    return { champion: snapshot, training, duel: NO_DUEL, unpublished: 0, publishedAtMs: performance.now() };
  };

  const publish = async (current: Learner) => {
    pausesUntilMs = performance.now() + PUBLISH_PAUSE_MS;
    const { champion, duel } = current;
    const result = resultOf(duel);
    if (result !== 'publish') {
      logger.warn({ version: champion.version, ...duel }, 'what was learned predicts worse than the snapshot in force, which stays');
      metrics.refused.inc({ result });
      // Started over, it goes on from the champion, past what spoiled the challenger.
      if (result === 'start-over') {
        current.training.resumeFrom({ ...champion, trainedThroughId: current.training.snapshot.trainedThroughId });
        current.duel = NO_DUEL;
      }
      current.unpublished = 0;
      current.publishedAtMs = performance.now();
      return;
    }
    const snapshot = { ...current.training.snapshot, version: champion.version + 1 };
    const publication = { reason: reasonOf(duel, champion.version), basedOn: champion.version || null };
    if (!(await publishSnapshot(db, snapshot, reportScores(snapshot), publication))) {
      logger.warn({ version: snapshot.version }, 'another trainer published this version: starting again from its snapshot');
      learner = null;
      return;
    }
    current.training.resumeFrom(snapshot);
    learner = { ...current, champion: snapshot, duel: NO_DUEL, unpublished: 0, publishedAtMs: performance.now() };
    putInForce(snapshot);
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
    for (let more = true; more && learner && !closing; ) {
      waitsSinceMs = performance.now();
      const batch = (await observationsAfter(db, learner.training.snapshot.trainedThroughId, BATCH)).map(toStored);
      // To learn takes its time, too: that is not Postgres'.
      waitsSinceMs = null;
      for (let i = 0; i < batch.length; i += JUDGED_AT_ONCE) {
        const few = batch.slice(i, i + JUDGED_AT_ONCE);
        learner.duel = judge(learner.duel, learner.champion, learner.training.snapshot, few);
        const result = learner.training.observe(few);
        metrics.learned(result);
        learner.unpublished += result.learned;
        // Whoever asks for a prediction or for our health waits no longer than for a few answers.
        await breathe();
      }
      waitsSinceMs = performance.now();
      if (isDue(learner) && performance.now() >= pausesUntilMs) await publish(learner);
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
      const pauseMs = learner && isDue(learner) ? Math.max(0, pausesUntilMs - performance.now()) : POLL_MS;
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

  /** Any process may publish: the one that trains goes on from there. */
  const recalibrateNow = async (recalibration: Recalibration, correctionId: string): Promise<number> => {
    const { model, class: name, factor } = recalibration;
    const reason = `lengths of ${model}${name === null ? '' : ` (${name})`} x ${factor.toPrecision(3)}: correction ${correctionId}`;
    for (let attempt = 0; attempt < PUBLISH_ATTEMPTS; attempt++) {
      const latest = (await latestSnapshot(db)) ?? { ...COLD_START_SNAPSHOT, version: await latestSnapshotVersion(db) };
      // Asked after that: who publishes the same between the two is found, and who does later has taken our version.
      const done = await snapshotWithReason(db, reason);
      if (done !== null) return done;
      const snapshot = { ...recalibrate(latest, recalibration), version: latest.version + 1 };
      if (await publishSnapshot(db, snapshot, reportScores(snapshot), { reason, basedOn: latest.version || null })) {
        bell.ring();
        return snapshot.version;
      }
    }
    throw new UellmError({ kind: 'unavailable', what: 'the profiler', reason: 'others kept publishing snapshots; try again' });
  };

  return {
    recalibrate: recalibrateNow,
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

function silence(waitsSinceMs: number | null, silentMs: number): Trouble | null {
  const sinceMs = waitsSinceMs === null ? 0 : performance.now() - waitsSinceMs;
  return sinceMs < silentMs ? null : { isOutage: true, reason: `Postgres does not answer (for ${Math.round(sinceMs / 1000)} s)` };
}

function troubleOf(error: unknown): Trouble {
  const reason = queryTrouble(error);
  return databaseOutage(error)
    ? { isOutage: true, reason: `Postgres does not answer (${reason})` }
    : { isOutage: false, reason: `training fails (${reason})` };
}

function isDue({ unpublished, publishedAtMs }: Learner): boolean {
  if (unpublished >= PUBLISH_AFTER.observations) return true;
  return unpublished > 0 && performance.now() - publishedAtMs >= PUBLISH_AFTER.ms;
}

/** Waits at least `leastMs`, and on until rung or `mostMs` are over; a ring before the wait counts. */
function createBell() {
  let rung = false;
  let answer = () => {};
  return {
    ring(): void {
      rung = true;
      answer();
    },
    async wait(leastMs: number, mostMs: number): Promise<void> {
      await new Promise((resolve) => setTimeout(resolve, leastMs));
      await new Promise<void>((resolve) => {
        const timer = setTimeout(resolve, rung ? 0 : mostMs - leastMs);
        answer = () => {
          clearTimeout(timer);
          resolve();
        };
      });
      rung = false;
    },
  };
}

/** With its sketch, where it has one that this release reads. */
function toStored(observation: Observation & { id: number }): StoredObservation {
  const { features, featureKey } = observation;
  return { ...observation, text: features && featureKey ? unpackSketch(Buffer.from(features, 'base64'), featureKey) : null };
}
