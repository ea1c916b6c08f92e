/** LISTEN on a connection of its own that comes back by itself. Notices sent while it was away are lost: listeners read everything again on `onConnected`. */
import { setTimeout as sleep } from 'node:timers/promises';
import pg from 'pg';

export interface ListenHandlers {
  onNotice(channel: string, payload: string): void;
  /** After each connect, the first included. */
  onConnected(): void;
  onError(error: Error): void;
}

const RETRY_MS = { first: 100, most: 2000 };

/** Starts to listen and returns at once. `pool` only says where the database is. */
export function listen(pool: pg.Pool, channels: readonly string[], handlers: ListenHandlers): { close(): Promise<void> } {
  const closing = new AbortController();
  const done = keepListening(pool, channels, handlers, closing.signal);
  return {
    async close() {
      closing.abort();
      await done;
    },
  };
}

async function keepListening(pool: pg.Pool, channels: readonly string[], handlers: ListenHandlers, closing: AbortSignal): Promise<void> {
  const closed = new Promise<void>((resolve) => closing.addEventListener('abort', () => resolve(), { once: true }));
  let retryMs = RETRY_MS.first;
  while (!closing.aborted) {
    const client = new pg.Client({ ...pool.options, application_name: 'uellm-listen', keepAlive: true });
    const broken = whenBroken(client);
    client.on('notification', (notice) => handlers.onNotice(notice.channel, notice.payload ?? ''));
    try {
      await Promise.race([client.connect(), closed]);
      for (const channel of channels) await client.query(`listen ${client.escapeIdentifier(channel)}`);
      handlers.onConnected();
      retryMs = RETRY_MS.first;
      await Promise.race([broken, closed]);
    } catch (error) {
      if (!closing.aborted) handlers.onError(error as Error);
    } finally {
      await client.end().catch(() => undefined);
    }
    await sleep(retryMs, undefined, { signal: closing }).catch(() => undefined);
    retryMs = Math.min(retryMs * 2, RETRY_MS.most);
  }
}

/** Rejects when the connection breaks. */
function whenBroken(client: pg.Client): Promise<never> {
  const broken = new Promise<never>((_, reject) => {
    client.on('error', reject);
    client.on('end', () => reject(new Error('the connection ended')));
  });
  broken.catch(() => undefined);
  return broken;
}
