/**
 * Delivers observations off the request path: in batches, through a spool on disk while Postgres is away, each exactly once (their request
 * ids are unique, and a second delivery changes nothing). Memory is bounded: what neither Postgres nor the disk takes is counted as lost.
 */
import type { Logger } from 'pino';
import { messageOf } from '../../core/domain/errors.ts';
import type { Observation } from '../../core/domain/observation.ts';
import { queryTrouble } from '../../db/outage.ts';
import { within } from '../deadline.ts';
import type { Metrics } from './metrics.ts';
import type { Spool } from './spool.ts';

export interface ObservationLogOptions {
  /** Stores a batch; rejects while that is not possible. */
  deliver: (batch: readonly Observation[]) => Promise<unknown>;
  /** Told of each batch that is stored. */
  onDelivered?: (batch: readonly Observation[]) => void;
  spool: Spool;
  metrics: Metrics;
  logger: Logger;
  flushEveryMs?: number;
}

const BATCH_ROWS = 500;
const MAX_BUFFERED_ROWS = 50_000;
const DELIVER_WITHIN_MS = 5000;
/** SQLSTATE classes that say the rows themselves are at fault: they would fail for ever. */
const DATA_FAULT = /^(22|23)/;

export class ObservationLog {
  readonly #options: ObservationLogOptions;
  readonly #timer: NodeJS.Timeout;
  #buffer: Observation[] = [];
  #flushing: Promise<void> | null = null;
  #turn: Promise<unknown> = Promise.resolve();
  /** The last delivery was not answered: its rows may be stored or not, until the next, which begins with them. */
  #unsure = false;
  #away = false;

  constructor(options: ObservationLogOptions) {
    this.#options = options;
    this.#timer = setInterval(() => void this.flush(), options.flushEveryMs ?? 1000);
    this.#timer.unref();
  }

  add(observation: Observation): void {
    if (this.#buffer.length >= MAX_BUFFERED_ROWS) {
      this.#options.metrics.observationsLost.inc({ reason: 'memory' });
      return;
    }
    this.#buffer.push(observation);
    if (this.#buffer.length >= BATCH_ROWS && !this.#away) void this.flush();
  }

  /**
   * Does `work` between two deliveries. Where it is told `sure`, it finds in Postgres of these observations just those that `onDelivered` was
   * told of.
   */
  between<T>(work: (sure: boolean) => Promise<T>): Promise<T> {
    return this.#inTurn(() => work(!this.#unsure));
  }

  #inTurn<T>(work: () => Promise<T>): Promise<T> {
    const turn = this.#turn.then(work);
    this.#turn = turn.catch(() => undefined);
    return turn;
  }

  /** Delivers all there is, or spools it. Never rejects. */
  flush(): Promise<void> {
    this.#flushing ??= this.#flushAll().finally(() => {
      this.#flushing = null;
    });
    return this.#flushing;
  }

  /** Delivers or spools what is left. */
  async close(): Promise<void> {
    clearInterval(this.#timer);
    await this.#flushing;
    await (this.#away ? this.#spoolAll() : this.flush());
    await this.#options.spool.close();
  }

  async #flushAll(): Promise<void> {
    const { spool, metrics } = this.#options;
    await spool.tend();
    if (await this.#deliverSpooled()) {
      while (this.#buffer.length > 0) {
        const batch = this.#buffer.splice(0, BATCH_ROWS);
        if (await this.#deliver(batch)) continue;
        this.#buffer = batch.concat(this.#buffer);
        break;
      }
    }
    if (this.#away) await this.#spoolAll();
    metrics.observationsWaiting.set({ where: 'memory' }, this.#buffer.length);
    metrics.observationsWaiting.set({ where: 'spool-files' }, spool.files);
  }

  /** @returns whether Postgres takes more */
  async #deliverSpooled(): Promise<boolean> {
    const { spool, metrics, logger } = this.#options;
    while (!spool.empty) {
      const file = await spool.oldest().catch((error) => {
        logger.error({ error: messageOf(error) }, 'a file of spooled observations cannot be read');
        return null;
      });
      if (!file) continue;
      for (let at = 0; at < file.rows.length; at += BATCH_ROWS) {
        if (!(await this.#deliver(file.rows.slice(at, at + BATCH_ROWS)))) return false;
      }
      if (file.unreadable > 0) metrics.observationsLost.inc({ reason: 'unreadable' }, file.unreadable);
      await spool.removeOldest();
    }
    return true;
  }

  /** @returns false while Postgres is away; rows that it refuses for their content are given up */
  async #deliver(batch: readonly Observation[]): Promise<boolean> {
    const { logger, metrics } = this.#options;
    try {
      await this.#inTurn(() => this.#store(batch));
      return true;
    } catch (error) {
      if (isDataFault(error) && batch.length > 1) {
        // One of them is at fault: the others must not go with it.
        const half = batch.length >> 1;
        return (await this.#deliver(batch.slice(0, half))) && (await this.#deliver(batch.slice(half)));
      }
      if (isDataFault(error)) {
        metrics.observationsLost.inc({ reason: 'refused' });
        logger.error({ error: queryTrouble(error) }, 'an observation was refused');
        return true;
      }
      if (!this.#away) logger.warn({ error: queryTrouble(error) }, 'observations are spooled on disk: Postgres is away');
      this.#away = true;
      return false;
    }
  }

  async #store(batch: readonly Observation[]): Promise<void> {
    const { deliver, onDelivered, logger } = this.#options;
    this.#unsure = true;
    await within(DELIVER_WITHIN_MS, 'the delivery of observations', deliver(batch));
    this.#unsure = false;
    onDelivered?.(batch);
    if (this.#away) logger.info('observations are delivered again');
    this.#away = false;
  }

  async #spoolAll(): Promise<void> {
    const rows = this.#buffer;
    this.#buffer = [];
    try {
      const lost = await this.#options.spool.append(rows);
      if (lost > 0) this.#options.metrics.observationsLost.inc({ reason: 'spool-full' }, lost);
    } catch (error) {
      this.#options.logger.error({ error: messageOf(error) }, 'observations cannot be spooled');
      const kept = rows.concat(this.#buffer);
      const lost = Math.max(0, kept.length - MAX_BUFFERED_ROWS);
      if (lost > 0) this.#options.metrics.observationsLost.inc({ reason: 'memory' }, lost);
      this.#buffer = kept.slice(lost);
    }
  }
}

function isDataFault(error: unknown): boolean {
  for (let cause = error; cause instanceof Error; cause = cause.cause) {
    const { code } = cause as { code?: unknown };
    if (typeof code === 'string' && code.length === 5) return DATA_FAULT.test(code);
  }
  return false;
}
