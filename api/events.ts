/**
 * Changes as they happen, for `GET /api/v1/events`. One connection listens to Postgres for all watchers. A watcher holds the set of
 * kinds that it has not been told of yet, so a slow one costs a few words of memory and misses nothing: it is told later, once.
 */
import type { Logger } from 'pino';
import type { DatabaseConnection } from '../db/client.ts';
import { listen } from '../db/listen.ts';
import { CHANGES_CHANNEL } from '../db/queries/changes.ts';
import { OBSERVATIONS_CHANNEL } from '../db/queries/observations.ts';
import { ROUTING_CHANNEL } from '../db/queries/routing.ts';
import type { Readiness } from './health.ts';
import { type Change, changeKindSchema } from './schema/cluster.ts';
import { changesSince, look, type Seen } from './unannounced.ts';

export type ChangeKind = Change['kind'];

export interface EventHub {
  /** A new watcher; undefined when there are too many. */
  watch(): ChangeWatcher | undefined;
  close(): Promise<void>;
}

export interface ChangeWatcher {
  /** Waits for changes, at most so long; empty when there were none, null when the hub was closed. */
  next(timeoutMs: number): Promise<ChangeKind[] | null>;
  end(): void;
}

const MAX_WATCHERS = 256;
/** Gateways deliver many times a second; whoever watches reads sums again, and those no more often than this. */
const OBSERVATIONS_EVERY_MS = 2000;
const LOOK_EVERY_MS = 2000;
/** Channels that are about one kind whatever they carry. */
const KIND_OF_CHANNEL: Record<string, ChangeKind> = { [ROUTING_CHANNEL]: 'routing', [OBSERVATIONS_CHANNEL]: 'observations' };

export function createEventHub(database: DatabaseConnection, readiness: () => Promise<Readiness>, logger: Logger): EventHub {
  const watchers = new Set<Watcher>();
  const tell = (kinds: readonly ChangeKind[]) => {
    for (const watcher of watchers) watcher.tell(kinds);
  };
  let observing: ReturnType<typeof setTimeout> | null = null;
  const tellLater = () => {
    observing ??= setTimeout(() => {
      observing = null;
      tell(['observations']);
    }, OBSERVATIONS_EVERY_MS).unref();
  };
  const listening = listen(database.pool, [CHANGES_CHANNEL, ...Object.keys(KIND_OF_CHANNEL)], {
    onNotice(channel, payload) {
      const kind = changeKindSchema.safeParse(KIND_OF_CHANNEL[channel] ?? payload);
      if (!kind.success) return;
      if (kind.data === 'observations') tellLater();
      else tell([kind.data]);
    },
    // What changed while nobody listened is not known: anything may have.
    onConnected: () => tell(changeKindSchema.options),
    onError: (error) => logger.warn({ err: error }, 'the connection that listens for changes broke; it comes back'),
  });
  let seen: Seen | null = null;
  let looking: Promise<void> | null = null;
  const lookAgain = async () => {
    const now = await look(database.db, readiness);
    if (seen) tell(changesSince(seen, now));
    seen = now;
    looking = null;
  };
  const looks = setInterval(() => {
    if (watchers.size > 0) looking ??= lookAgain();
    else seen = null; // whoever comes next reads everything anyway
  }, LOOK_EVERY_MS).unref();
  return {
    watch() {
      if (watchers.size >= MAX_WATCHERS) return undefined;
      const watcher = new Watcher(() => watchers.delete(watcher));
      watchers.add(watcher);
      return watcher;
    },
    async close() {
      clearInterval(looks);
      if (observing) clearTimeout(observing);
      for (const watcher of watchers) watcher.end();
      await Promise.all([listening.close(), looking]);
    },
  };
}

class Watcher implements ChangeWatcher {
  readonly #pending = new Set<ChangeKind>();
  readonly #onEnd: () => void;
  #ended = false;
  #wake: () => void = () => undefined;

  constructor(onEnd: () => void) {
    this.#onEnd = onEnd;
  }

  tell(kinds: readonly ChangeKind[]): void {
    for (const kind of kinds) this.#pending.add(kind);
    this.#wake();
  }

  async next(timeoutMs: number): Promise<ChangeKind[] | null> {
    if (this.#pending.size === 0 && !this.#ended) {
      await new Promise<void>((resolve) => {
        const timer = setTimeout(resolve, timeoutMs);
        this.#wake = () => {
          clearTimeout(timer);
          resolve();
        };
      });
    }
    if (this.#ended) return null;
    const kinds = [...this.#pending];
    this.#pending.clear();
    return kinds;
  }

  end(): void {
    this.#ended = true;
    this.#onEnd();
    this.#wake();
  }
}
