/**
 * Follows the observations and publishes snapshots. One process trains, by a lock in Postgres; the others follow what it publishes and
 * take over when it is gone. The learner's state is the snapshot itself, so a successor goes on from the last published one, and learns
 * again what came after it. While Postgres is away nothing happens here but retries.
 */
import { setImmediate as breathe } from 'node:timers/promises';
import type { Logger } from 'pino';
import { learn } from '../core/profiler/learn.ts';
import { reportScores } from '../core/profiler/scores.ts';
import { COLD_START_SNAPSHOT, type ProfilerSnapshot } from '../core/profiler/snapshot.ts';
import type { DatabaseConnection } from '../db/client.ts';
import { listen } from '../db/listen.ts';
import { OBSERVATIONS_CHANNEL, observationsAfter } from '../db/queries/observations.ts';
import { latestSnapshot, latestSnapshotVersion, publishSnapshot, SNAPSHOT_CHANNEL } from '../db/queries/profiler.ts';
import { sessionLock } from '../db/session-lock.ts';
import type { ProfilerMetrics } from './metrics.ts';

export interface Trainer {
  /** The snapshot in force, as far as this process knows. */
  snapshot(): ProfilerSnapshot;
  /** Is this the process that trains? */
  trains(): boolean;
  /** Did Postgres answer when last asked? */
  databaseIsUp(): boolean;
  close(): Promise<void>;
}

/** Of the processes that hold this advisory lock one trains. */
const TRAINER_LOCK = 0x7565_6c74; // 'uelt'

const BATCH = 500;
/** A snapshot is published after so many observations, or so long after the first of them. */
const PUBLISH_AFTER = { observations: 50, ms: 10_000 };
const POLL_MS = 2000;
/** Notices come with every batch of every gateway: one round serves all of a moment. */
const ROUND_GAP_MS = 200;

interface Learner {
  /** Ahead of the published snapshot by `unpublished` observations. */
  snapshot: ProfilerSnapshot;
  unpublished: number;
  publishedAtMs: number;
}

export function startTrainer(options: { database: DatabaseConnection; logger: Logger; metrics: ProfilerMetrics }): Trainer {
  const { database, logger, metrics } = options;
  const { db } = database;
  const lock = sessionLock(database.pool, TRAINER_LOCK);
  const bell = createBell();
  let inForce = COLD_START_SNAPSHOT;
  let learner: Learner | null = null;
  let seenVersion = 0;
  let state: 'connecting' | 'up' | 'away' = 'connecting';
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
    logger.info({ version: snapshot.version, trainedThroughId: snapshot.trainedThroughId }, 'training from here on');
    return { snapshot, unpublished: 0, publishedAtMs: performance.now() };
  };

  const publish = async (current: Learner) => {
    const snapshot = { ...current.snapshot, version: current.snapshot.version + 1 };
    if (!(await publishSnapshot(db, snapshot, reportScores(snapshot)))) {
      logger.warn({ version: snapshot.version }, 'another trainer published this version: starting again from its snapshot');
      learner = null;
      return;
    }
    learner = { snapshot, unpublished: 0, publishedAtMs: performance.now() };
    putInForce(snapshot);
  };

  const round = async () => {
    const hold = await lock.tryHold();
    if (hold !== 'held') learner = null;
    if (hold === 'busy') return follow();
    learner ??= await resume();
    for (let more = true; more && learner && !closing; ) {
      const batch = await observationsAfter(db, learner.snapshot.trainedThroughId, BATCH);
      const result = learn(learner.snapshot, batch);
      metrics.learned(result);
      learner = { ...learner, snapshot: result.snapshot, unpublished: learner.unpublished + result.learned };
      if (isDue(learner)) await publish(learner);
      more = batch.length === BATCH;
      await breathe();
    }
  };

  const run = async () => {
    while (!closing) {
      try {
        await round();
        if (state !== 'up') logger.info('Postgres answers');
        state = 'up';
      } catch (error) {
        if (state !== 'away') logger.warn({ err: error }, 'Postgres does not answer: predicting by the last snapshot, trying again');
        state = 'away';
        learner = null;
      }
      metrics.trains.set(learner ? 1 : 0);
      if (!closing) await bell.wait(ROUND_GAP_MS, POLL_MS);
    }
  };

  const listening = listen(database.pool, [OBSERVATIONS_CHANNEL, SNAPSHOT_CHANNEL], {
    onNotice: bell.ring,
    onConnected: bell.ring,
    onError: (error) => logger.debug({ err: error }, 'lost the connection that listens'),
  });
  const running = run();

  return {
    snapshot: () => inForce,
    trains: () => learner !== null,
    databaseIsUp: () => state === 'up',
    async close() {
      closing = true;
      bell.ring();
      await Promise.all([running, listening.close()]);
      await lock.release();
    },
  };
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
