/** From one publication to the next: the snapshot in force is the champion; what is learned since, the challenger, has to prove better. */
import { setImmediate as breathe } from 'node:timers/promises';
import type { Logger } from 'pino';
import type { Observation } from '../core/domain/observation.ts';
import { type Duel, judge, NO_DUEL, reasonOf, resultOf } from '../core/profiler/duel.ts';
import type { StoredObservation } from '../core/profiler/learn.ts';
import { isForgotten } from '../core/profiler/roll-back.ts';
import { reportScores } from '../core/profiler/scores.ts';
import { COLD_START_SNAPSHOT, type ProfilerSnapshot } from '../core/profiler/snapshot.ts';
import { unpackSketch } from '../core/profiler/text/pack.ts';
import { Training } from '../core/profiler/training.ts';
import type { Database } from '../db/client.ts';
import { idBefore, observationsThrough } from '../db/queries/observations.ts';
import { latestSnapshot, latestSnapshotVersion, publishSnapshot } from '../db/queries/profiler.ts';
import type { ProfilerMetrics } from './metrics.ts';

/** Who is further behind than this goes on from here: older traffic would take minutes to learn and tell little of today's. */
export const MOST_BEHIND = 50_000;
/** Observations read back at the start, for the window that words are fitted to. */
const READ_BACK = 8192;
/** Champion and challenger are compared before each so many observations are learned from. */
const JUDGED_AT_ONCE = 16;
/** A snapshot is published after so many observations, or so long after the first of them. */
const PUBLISH_AFTER = { observations: 50, ms: 10_000 };

interface LearnerParts {
  db: Database;
  logger: Logger;
  metrics: ProfilerMetrics;
}

type StoredRow = Observation & { id: number };

export class Learner {
  readonly #parts: LearnerParts;
  readonly #training: Training;
  /** The published snapshot that it started from or last published. */
  #champion: ProfilerSnapshot;
  #duel: Duel = NO_DUEL;
  /** Observations that the challenger is ahead by. */
  #unpublished = 0;
  #publishedAtMs = performance.now();

  private constructor(parts: LearnerParts, champion: ProfilerSnapshot, training: Training) {
    this.#parts = parts;
    this.#champion = champion;
    this.#training = training;
  }

  /** Goes on from the last published snapshot. */
  static async resume({ mostBehind, ...parts }: LearnerParts & { mostBehind: number }): Promise<Learner> {
    const { db, logger } = parts;
    const snapshot = (await latestSnapshot(db)) ?? { ...COLD_START_SNAPSHOT, version: await latestSnapshotVersion(db) };
    const { version, trainedThroughId } = snapshot;
    const from = await idBefore(db, mostBehind);
    const isFarBehind = from > trainedThroughId;
    if (isFarBehind) logger.warn({ from, trainedThroughId }, `older observations than the newest ${mostBehind} are passed over`);
    const training = new Training(isFarBehind ? { ...snapshot, trainedThroughId: from } : snapshot);
    const seen = await observationsThrough(db, trainedThroughId, READ_BACK);
    training.remember(seen.filter(({ id }) => !isForgotten(snapshot, id)).map(toStored));
    logger.info({ version, trainedThroughId }, 'training from here on');
    return new Learner(parts, snapshot, training);
  }

  get champion(): ProfilerSnapshot {
    return this.#champion;
  }

  get trainedThroughId(): number {
    return this.#training.snapshot.trainedThroughId;
  }

  async learn(rows: readonly StoredRow[]): Promise<void> {
    for (let i = 0; i < rows.length; i += JUDGED_AT_ONCE) {
      const few = rows.slice(i, i + JUDGED_AT_ONCE).map(toStored);
      this.#duel = judge(this.#duel, this.#champion, this.#training.snapshot, few);
      const result = this.#training.observe(few);
      this.#parts.metrics.learned(result);
      this.#unpublished += result.learned;
      // Whoever asks for a prediction or for our health waits no longer than for a few answers.
      await breathe();
    }
  }

  /** Is there enough to publish, or has it waited long enough? */
  get isDue(): boolean {
    if (this.#unpublished >= PUBLISH_AFTER.observations) return true;
    return this.#unpublished > 0 && performance.now() - this.#publishedAtMs >= PUBLISH_AFTER.ms;
  }

  /**
   * Publishes what was learned where it proves no worse than the champion, which else stays.
   * @returns false where another trainer published this version: this one has lost its way, and is to be left for one that resumes
   */
  async publish(): Promise<boolean> {
    const duel = this.#duel;
    const result = resultOf(duel);
    if (result === 'publish') {
      const { db, logger } = this.#parts;
      const { version } = this.#champion;
      const snapshot = { ...this.#training.snapshot, version: version + 1 };
      if (!(await publishSnapshot(db, snapshot, reportScores(snapshot), { reason: reasonOf(duel, version), basedOn: version || null }))) {
        logger.warn({ version: snapshot.version }, 'another trainer published this version: starting again from its snapshot');
        return false;
      }
      this.#training.resumeFrom(snapshot);
      this.#champion = snapshot;
      this.#duel = NO_DUEL;
    } else {
      this.#refuse(result);
    }
    this.#unpublished = 0;
    this.#publishedAtMs = performance.now();
    return true;
  }

  #refuse(result: 'keep-champion' | 'start-over'): void {
    const { logger, metrics } = this.#parts;
    logger.warn(
      { version: this.#champion.version, ...this.#duel },
      'what was learned predicts worse than the snapshot in force, which stays',
    );
    metrics.refused.inc({ result });
    if (result === 'keep-champion') return;
    // Started over, it goes on from the champion, past what spoiled the challenger.
    this.#training.resumeFrom({ ...this.#champion, trainedThroughId: this.trainedThroughId });
    this.#duel = NO_DUEL;
  }
}

/** With its sketch, where it has one that this release reads. */
function toStored(row: StoredRow): StoredObservation {
  const { features, featureKey } = row;
  return { ...row, text: features && featureKey ? unpackSketch(Buffer.from(features, 'base64'), featureKey) : null };
}
