/**
 * The admin API: declared objects, actions, reads, live changes; its document at /openapi.json and /docs; the dashboard at /. `app.ts` has
 * the routes, `routes/` one folder an entity, `schema/` the shapes that go in and out, `client.ts` the client for them. Only `bin/` may
 * start it; only types of `schema/`, and the client, may be imported from outside.
 */

import type { Server } from 'node:http';
import { Server as TlsServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import { createAdaptorServer } from '@hono/node-server';
import type { Logger } from 'pino';
import { isLoopbackAddress } from '../core/domain/access.ts';
import type { DatabaseConnection } from '../db/client.ts';
import { checkBinding } from './access.ts';
import type { TokenVerifier } from './access-tokens.ts';
import type { WorkflowActions } from './actions.ts';
import { createApp } from './app.ts';
import type { CodecEndpoint } from './codec.ts';
import type { CostSources, Installation } from './context.ts';
import { createEventHub } from './events.ts';
import { readiness } from './health.ts';

export interface ApiOptions {
  database: DatabaseConnection;
  actions: WorkflowActions;
  cost: CostSources;
  /** Address to bind to; anything but loopback needs a key, in the environment or in the database, or an issuer of tokens. */
  address: string;
  /** 0 takes any free one. */
  port: number;
  /** Keys of the admin. */
  apiKeys: readonly string[];
  /** Takes tokens of an OIDC issuer. Without it and without keys, an API on loopback is open to this machine. */
  tokens?: TokenVerifier | null;
  logger: Logger;
  info: Installation;
  /** Folder of the built dashboard; null serves a page that says how to build it. */
  webRoot: string | null;
  /** What payloads in Temporal are encrypted with, for its UI; null where they are not. */
  codec?: CodecEndpoint | null;
  /** Makes the server, where it is to speak TLS. */
  createServer?: typeof import('node:http').createServer;
}

export interface RunningApi {
  url: string;
  /** Ends watchers, lets requests finish for a moment, closes the port. The database stays open: it is the caller's. */
  close(): Promise<void>;
}

const CLOSE_GRACE_MS = 5000;

/** @throws invalid-input for a binding that needs a key; the system's error (e.g. EADDRINUSE) where the port cannot be had */
export async function startApi(options: ApiOptions): Promise<RunningApi> {
  const { database, actions, cost, address, port, apiKeys, tokens = null, logger, info, webRoot, codec = null, createServer } = options;
  await checkBinding(address, { apiKeys, tokens }, database.db);
  const open = isLoopbackAddress(address) && apiKeys.length === 0 && !tokens;
  const events = createEventHub(database, () => readiness({ database, actions }), logger);
  const app = createApp({ database, actions, events, cost, info, logger }, { apiKeys, open, tokens, webRoot, codec });
  const server = createAdaptorServer({ fetch: app.fetch, ...(createServer && { createServer }) }) as Server;
  try {
    await listenOn(server, address, port);
  } catch (error) {
    await events.close();
    throw error;
  }
  const answering = countAnswering(server);
  const bound = server.address() as AddressInfo;
  const host = bound.family === 'IPv6' ? `[${bound.address}]` : bound.address;
  return {
    url: `${server instanceof TlsServer ? 'https' : 'http'}://${host}:${bound.port}`,
    async close() {
      const closed = new Promise<void>((resolve) => server.close(() => resolve()));
      await events.close();
      const deadline = Date.now() + CLOSE_GRACE_MS;
      // Browsers hold connections on which they never asked anything: all go once nobody waits for an answer.
      const closing = setInterval(() => {
        if (answering() === 0 || Date.now() > deadline) server.closeAllConnections();
      }, 10);
      await closed;
      clearInterval(closing);
    },
  };
}

/** Counts the requests that are being answered. */
function countAnswering(server: Server): () => number {
  let count = 0;
  server.on('request', (_request, response) => {
    count++;
    response.once('close', () => count--);
  });
  return () => count;
}

function listenOn(server: Server, address: string, port: number): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', reject);
    server.listen(port, address, () => {
      server.off('error', reject);
      resolve();
    });
  });
}
