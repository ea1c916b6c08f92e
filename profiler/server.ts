/**
 * The profiler service: predicts over HTTP, takes observations, trains on all of them and publishes snapshots (`trainer.ts`), and profiles
 * a model's shapes for deployments. Gateways predict in their own process from the same snapshots; nothing on a request's way
 * waits for this service. `server.ts` is its one entry, `client.ts` what others ask it by.
 */
import { createServer as createHttpServer, type Server } from 'node:http';
import { Server as TlsServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import { getRequestListener } from '@hono/node-server';
import type { Logger } from 'pino';
import type { DatabaseConnection } from '../db/client.ts';
import { checkBinding, isLoopback } from './access.ts';
import { createApp } from './app.ts';
import { createMetrics } from './metrics.ts';
import { DEFAULT_RETENTION_DAYS, startRetention } from './retention.ts';
import { startTrainer } from './trainer.ts';

export interface ProfilerOptions {
  database: DatabaseConnection;
  address: string;
  /** 0 takes a free one. */
  port: number;
  logger: Logger;
  /** Makes the server, where it is to speak TLS. */
  createServer?: typeof createHttpServer;
  /** Any of them opens `/v1`, as keys of the database do. Without keys only loopback addresses may be bound. */
  apiKeys?: readonly string[];
  /** How long observations are kept. */
  retentionDays?: number;
}

export interface Profiler {
  url: string;
  close(): Promise<void>;
}

/** Serves once it resolves; the database may be away, then and later. @throws invalid-input, or the error of listen() (a taken port) */
export async function startProfiler({
  database,
  address,
  port,
  logger,
  createServer = createHttpServer,
  apiKeys = [],
  retentionDays = DEFAULT_RETENTION_DAYS,
}: ProfilerOptions): Promise<Profiler> {
  await checkBinding(address, apiKeys, database.db);
  const metrics = createMetrics();
  const trainer = startTrainer({ database, logger, metrics });
  const app = createApp({ db: database.db, trainer, metrics, logger, apiKeys, open: apiKeys.length === 0 && isLoopback(address) });
  const server = createServer({}, getRequestListener(app.fetch));
  try {
    await listening(server, address, port);
  } catch (error) {
    await trainer.close();
    throw error;
  }
  const retention = startRetention({ database, logger, days: retentionDays });
  const bound = (server.address() as AddressInfo).port;
  const url = `${server instanceof TlsServer ? 'https' : 'http'}://${address.includes(':') ? `[${address}]` : address}:${bound}`;
  logger.info({ url }, 'profiler serves');
  return {
    url,
    async close() {
      const closed = new Promise((resolve) => server.close(resolve));
      server.closeIdleConnections();
      await Promise.all([closed, trainer.close(), retention.close()]);
    },
  };
}

function listening(server: Server, address: string, port: number): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', reject);
    server.listen(port, address, () => {
      server.off('error', reject);
      resolve();
    });
  });
}
