/**
 * Keeps the table of observations in shape: days made ahead, old ones dropped, their arrivals added to the history that forecasts read. One
 * process does it, by a lock in Postgres; it looks at its start and every hour, and soon again where something did not work. Nobody depends on
 * its being in time: what has no day is stored all the same.
 */
import type { Logger } from 'pino';
import { dayOf } from '../core/scheduler/tenant-budget.ts';
import type { DatabaseConnection } from '../db/client.ts';
import { recordArrivals } from '../db/queries/arrival-history.ts';
import { pruneIdempotentAnswers } from '../db/queries/idempotent-answers.ts';
import { createPartitions, dropPartitions, pruneDefault } from '../db/queries/observation-partitions.ts';
import { pruneTenantUsage } from '../db/queries/tenant-budgets.ts';
import { sessionLock } from '../db/session-lock.ts';

export interface RetentionOptions {
  database: DatabaseConnection;
  logger: Logger;
  /** Observations accepted longer ago than so many days are dropped, whole UTC days at a time. */
  days: number;
  /** Clock, Unix ms. */
  now?: () => number;
  everyMs?: number;
  retryAfterMs?: number;
}

export interface Retention {
  close(): Promise<void>;
}

export const DEFAULT_RETENTION_DAYS = 30;

/** Of the processes that hold this advisory lock one looks after the days. */
const RETENTION_LOCK = 0x7565_6c72; // 'uelr'
/** Days made before they begin: a profiler may be away for so long without any observation going to the default partition. */
const DAYS_AHEAD = 3;
const EVERY_MS = 3_600_000;
const RETRY_AFTER_MS = 30_000;

export function startRetention({
  database,
  logger,
  days,
  now = Date.now,
  everyMs = EVERY_MS,
  retryAfterMs = RETRY_AFTER_MS,
}: RetentionOptions): Retention {
  const { db } = database;
  const lock = sessionLock(database.pool, RETENTION_LOCK);
  const policy = { days };
  let closing = false;
  let wake = () => {};

  /** @returns false where it should be tried again soon */
  const attempt = async (what: string, act: () => Promise<string[] | number>): Promise<boolean> => {
    try {
      const done = await act();
      if (done !== 0 && !(Array.isArray(done) && done.length === 0)) logger.info({ done }, what);
      return true;
    } catch (error) {
      logger.warn({ err: error }, `${what}: did not work, trying again`);
      return false;
    }
  };

  const round = async (): Promise<boolean> => {
    const hold = await lock.tryHold();
    if (hold === 'busy') return true;
    // Each by itself: days that cannot be dropped must not keep others from being made.
    const worked = [
      await attempt('days of observations made', () => createPartitions(db, now(), DAYS_AHEAD, policy)),
      await attempt('arrivals added to the history', () => recordArrivals(db, now())),
      await attempt('days of observations dropped', () => dropPartitions(db, now(), policy)),
      await attempt('observations without a day deleted', () => pruneDefault(db, now(), DAYS_AHEAD, policy)),
      await attempt('days of tenants’ use deleted', () => pruneTenantUsage(db, dayOf(now()), days)),
      await attempt('answers to idempotent requests deleted', () => pruneIdempotentAnswers(db)),
    ];
    return !worked.includes(false);
  };

  const sleep = (ms: number) =>
    new Promise<void>((resolve) => {
      const timer = setTimeout(resolve, ms);
      wake = () => {
        clearTimeout(timer);
        resolve();
      };
    });

  const run = async () => {
    while (!closing) {
      // The trainer says that Postgres is away; once is enough.
      const worked = await round().catch(() => false);
      if (!closing) await sleep(worked ? everyMs : retryAfterMs);
    }
  };
  const running = run();

  return {
    async close() {
      closing = true;
      wake();
      await running;
      await lock.release();
    },
  };
}
