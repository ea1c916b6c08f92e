/**
 * Changes as they happen, for `GET /api/v1/events`. One connection listens to Postgres for all watchers. A watcher holds the set of
 * kinds that it has not been told of yet, so a slow one costs a few words of memory and misses nothing: it is told later, once.
 */
import type { Logger } from 'pino';
import type { DatabaseConnection } from '../db/client.ts';
import { listen } from '../db/listen.ts';
import { CHANGES_CHANNEL } from '../db/queries/changes.ts';
import { ROUTING_CHANNEL } from '../db/queries/routing.ts';
import { type Change, changeKindSchema } from './schema/cluster.ts';

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

export function createEventHub(database: DatabaseConnection, logger: Logger): EventHub {
  const watchers = new Set<Watcher>();
  const tell = (kinds: readonly ChangeKind[]) => {
    for (const watcher of watchers) watcher.tell(kinds);
  };
  const listening = listen(database.pool, [CHANGES_CHANNEL, ROUTING_CHANNEL], {
    onNotice(channel, payload) {
      const kind = changeKindSchema.safeParse(channel === ROUTING_CHANNEL ? 'routing' : payload);
      if (kind.success) tell([kind.data]);
    },
    // What changed while nobody listened is not known: anything may have.
    onConnected: () => tell(changeKindSchema.options),
    onError: (error) => logger.warn({ err: error }, 'the connection that listens for changes broke; it comes back'),
  });
  return {
    watch() {
      if (watchers.size >= MAX_WATCHERS) return undefined;
      const watcher = new Watcher(() => watchers.delete(watcher));
      watchers.add(watcher);
      return watcher;
    },
    async close() {
      for (const watcher of watchers) watcher.end();
      await listening.close();
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
