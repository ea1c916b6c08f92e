/** TLS: what our own servers show their clients, and how Temporal is reached. Postgres is told by its URL (`sslmode=verify-full&sslrootcert=...`). */
import { readFileSync, watchFile } from 'node:fs';
import type { Server } from 'node:http';
import { createServer } from 'node:https';
import { createSecureContext } from 'node:tls';
import type { TLSConfig } from '@temporalio/client';
import type { Logger } from 'pino';
import { messageOf, UellmError } from '../core/domain/errors.ts';
import type { Environment } from './environment.ts';

/** Certificates are renewed under the same names; a secret that is mounted is swapped by a link, which is followed. */
const LOOK_EVERY_MS = 5000;

/** Makes servers as `createServer(options, listener)` of node:http does. */
export type CreateServer = typeof import('node:http').createServer;

/**
 * Servers that speak TLS, with the certificate that lies in the files at the moment; nothing without files: plain HTTP.
 * @throws invalid-input where they are no certificate and its key
 */
export function tlsServers(
  { tls }: Pick<Environment, 'tls'>,
  logger: Logger,
  lookEveryMs = LOOK_EVERY_MS,
): { createServer?: CreateServer } {
  if (!tls) return {};
  const read = () => {
    const pair = { cert: readFileSync(tls.cert), key: readFileSync(tls.key) };
    createSecureContext(pair); // throws where one does not belong to the other
    return { ...pair, minVersion: 'TLSv1.2' as const };
  };
  let pair: ReturnType<typeof read>;
  try {
    pair = read();
  } catch (error) {
    const issues = [
      { field: 'UELLM_TLS_CERT', given: messageOf(error), allowed: 'PEM files of a certificate and, in UELLM_TLS_KEY, of its key' },
    ];
    throw new UellmError({ kind: 'invalid-input', what: 'the environment', issues });
  }
  const servers = new Set<ReturnType<typeof createServer>>();
  const renew = () => {
    try {
      pair = read();
      for (const server of servers) server.setSecureContext(pair);
      logger.info({ file: tls.cert }, 'another certificate is in force');
    } catch (error) {
      // Of the two files one may have been written already and the other not yet.
      logger.warn({ file: tls.cert, reason: messageOf(error) }, 'the certificate cannot be used: the last one stays in force');
    }
  };
  for (const file of [tls.cert, tls.key]) watchFile(file, { interval: lookEveryMs, persistent: false }, renew);
  const create = (options: object, listener: (...args: never[]) => void) => {
    const server = createServer({ ...options, ...pair }, listener as never);
    servers.add(server);
    server.once('close', () => servers.delete(server));
    return server as unknown as Server;
  };
  return { createServer: create as CreateServer };
}

/** What clients and workers of Temporal connect with. @throws invalid-input where a file cannot be read */
export function temporalConnection({ temporal, ports }: Pick<Environment, 'temporal' | 'ports'>): {
  address: string;
  tls?: TLSConfig;
  apiKey?: string;
} {
  const { tls, apiKey } = temporal;
  return {
    // The server that is given, else the one that `uellm up` starts on this machine.
    address: temporal.address ?? `127.0.0.1:${ports.temporal}`,
    ...(tls && {
      tls: {
        ...(tls.serverName !== undefined && { serverNameOverride: tls.serverName }),
        ...(tls.ca !== undefined && { serverRootCACertificate: contentOf('TEMPORAL_TLS_CA', tls.ca) }),
        ...(tls.cert !== undefined &&
          tls.key !== undefined && {
            clientCertPair: { crt: contentOf('TEMPORAL_TLS_CERT', tls.cert), key: contentOf('TEMPORAL_TLS_KEY', tls.key) },
          }),
      },
    }),
    ...(apiKey !== undefined && { apiKey }),
  };
}

function contentOf(field: string, file: string): Buffer {
  try {
    return readFileSync(file);
  } catch (error) {
    const issues = [{ field, given: messageOf(error), allowed: 'a PEM file that can be read' }];
    throw new UellmError({ kind: 'invalid-input', what: 'the environment', issues });
  }
}
