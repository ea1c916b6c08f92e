/** The profiler's snapshot in force, as this gateway last read it; published constants until then. */
import type { Logger } from 'pino';
import { messageOf } from '../../core/domain/errors.ts';
import { COLD_START_SNAPSHOT, type ProfilerSnapshot } from '../../core/profiler/snapshot.ts';
import type { Database } from '../../db/client.ts';
import { latestSnapshot, latestSnapshotVersion } from '../../db/queries/profiler.ts';

const REFRESH_EVERY_MS = 10_000;

export class SnapshotFeed {
  readonly #db: Database;
  readonly #logger: Logger;
  readonly #timer: NodeJS.Timeout;
  #current: ProfilerSnapshot = COLD_START_SNAPSHOT;
  #reading: Promise<void> | null = null;

  constructor(db: Database, logger: Logger) {
    this.#db = db;
    this.#logger = logger;
    this.#timer = setInterval(() => this.refresh(), REFRESH_EVERY_MS);
    this.#timer.unref();
  }

  get current(): ProfilerSnapshot {
    return this.#current;
  }

  /** Reads the snapshot if there is a newer one. Never rejects: an old one predicts too. */
  refresh(): void {
    this.#reading ??= this.#read().finally(() => {
      this.#reading = null;
    });
  }

  async close(): Promise<void> {
    clearInterval(this.#timer);
    await this.#reading;
  }

  async #read(): Promise<void> {
    try {
      if ((await latestSnapshotVersion(this.#db)) === this.#current.version) return;
      this.#current = (await latestSnapshot(this.#db)) ?? this.#current;
    } catch (error) {
      this.#logger.debug({ error: messageOf(error) }, 'the profiler snapshot cannot be read');
    }
  }
}
