import { X509Certificate } from 'node:crypto';
import { copyFileSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { get as getHttps } from 'node:https';
import { type AddressInfo, connect, createServer as createTcpServer, type Server, type Socket } from 'node:net';
import { join } from 'node:path';
import { createServer as createTlsServer, TLSSocket } from 'node:tls';
import { Connection } from '@temporalio/client';
import { NativeConnection } from '@temporalio/worker';
import { pino } from 'pino';
import { afterAll, afterEach, beforeAll, describe, expect, inject, it } from 'vitest';
import { type RunningApi, startApi } from '../api/server.ts';
import { connectDatabase } from '../db/client.ts';
import { fileRouting } from '../gateway/routes/file-routing.ts';
import { startGateway } from '../gateway/server.ts';
import { startProfiler } from '../profiler/server.ts';
import { costSources, fakeActions } from '../test/support/api.ts';
import { type Authority, createAuthority } from '../test/support/certificates.ts';
import { createTestDatabase, type TestDatabase } from '../test/support/database.ts';
import { quietRuntime } from '../test/support/temporal.ts';
import { readEnvironment } from './environment.ts';
import { temporalConnection, tlsServers } from './tls.ts';

let authority: Authority;
let served: { cert: string; key: string };
const logger = pino({ level: 'silent' });
const servers: Server[] = [];
const sockets = new Set<Socket>();

beforeAll(() => {
  authority = createAuthority();
  served = authority.sign('server');
});
afterEach(() => {
  for (const socket of sockets) socket.destroy();
  for (const server of servers.splice(0)) server.close();
});
afterAll(() => rmSync(authority.directory, { recursive: true }));

const pem = (file: string) => readFileSync(file);
const pair = ({ cert, key }: { cert: string; key: string }) => ({ cert: pem(cert), key: pem(key) });

async function listening(server: Server): Promise<number> {
  servers.push(server);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return (server.address() as AddressInfo).port;
}

function joined(client: Socket, upstreamPort: number): void {
  const upstream = connect(upstreamPort, '127.0.0.1');
  for (const socket of [client, upstream]) {
    sockets.add(socket);
    socket.on('error', () => undefined);
  }
  client.pipe(upstream).pipe(client);
}

/** A status and the serial number of the certificate that came with it. */
function get(url: string): Promise<{ status: number | undefined; serial: string }> {
  return new Promise((resolve, reject) => {
    const request = getHttps(url, { ca: pem(authority.ca), agent: false }, (answer) => {
      const { serialNumber } = (answer.socket as TLSSocket).getPeerX509Certificate()!;
      resolve({ status: answer.resume().statusCode, serial: serialNumber });
    });
    request.on('error', reject);
  });
}

describe('our own servers', () => {
  let database: TestDatabase;
  beforeAll(async () => {
    database = await createTestDatabase();
  });
  afterAll(() => database.drop());

  const common = (options: object) => ({ address: '127.0.0.1', port: 0, logger, ...options });
  function apiWith(options: object): Promise<RunningApi> {
    const { connection } = database;
    const info = { version: '1', temporalUiUrl: null, gatewayUrl: null };
    const parts = { database: connection, actions: fakeActions(), cost: costSources(connection.db), apiKeys: [], info, webRoot: null };
    return startApi({ ...parts, ...common(options) });
  }

  it('all speak HTTPS where they have a certificate', async () => {
    const tls = tlsServers({ tls: served }, logger);
    const routing = join(authority.directory, 'gateway.json');
    writeFileSync(routing, JSON.stringify({ replicas: [{ endpoint: 'http://127.0.0.1:9', model: 'm' }] }));
    const all = [
      await apiWith(tls),
      await startProfiler({ database: database.connection, ...common(tls) }),
      await startGateway({ source: { kind: 'alone', routing: await fileRouting(routing, logger) }, ...common(tls) }),
    ];
    for (const { url } of all) {
      expect(url).toMatch(/^https:/);
      expect((await get(`${url}/healthz`)).status).toBe(200);
    }
    await Promise.all(all.map((server) => server.close()));
  });

  it('take a renewed certificate without a restart, and keep the last one while a file is half written', async () => {
    const files = { cert: join(authority.directory, 'renewed.pem'), key: join(authority.directory, 'renewed.key') };
    const install = (from: { cert: string; key: string }, ...which: ('cert' | 'key')[]) => {
      for (const part of which) copyFileSync(from[part], files[part]);
    };
    const serialOf = ({ cert }: { cert: string }) => new X509Certificate(pem(cert)).serialNumber;
    install(served, 'cert', 'key');
    const told: string[] = [];
    const hearing = pino({ level: 'info' }, { write: (line: string) => void told.push(JSON.parse(line).msg) });
    const api = await apiWith(tlsServers({ tls: files }, hearing, 20));
    expect((await get(`${api.url}/healthz`)).serial).toBe(serialOf(served));

    const next = authority.sign('next');
    install(next, 'cert');
    await expect.poll(() => told).toContain('the certificate cannot be used: the last one stays in force');
    expect((await get(`${api.url}/healthz`)).serial).toBe(serialOf(served));
    install(next, 'key');
    await expect.poll(async () => (await get(`${api.url}/healthz`)).serial).toBe(serialOf(next));
    await api.close();
  });

  it('are refused a certificate whose key is another', () => {
    const tls = { cert: served.cert, key: authority.sign('other').key };
    expect(() => tlsServers({ tls }, logger)).toThrow(/UELLM_TLS_CERT: got .*key values mismatch/);
    expect(tlsServers({ tls: undefined }, logger)).toEqual({});
  });
});

describe('Temporal', () => {
  it('is reached by mTLS and with an API key as the variables say', () => {
    const { cert, key } = served;
    const variables = {
      TEMPORAL_ADDRESS: 'temporal.example:7233',
      TEMPORAL_TLS_CA: authority.ca,
      TEMPORAL_TLS_CERT: cert,
      TEMPORAL_TLS_KEY: key,
    };
    expect(temporalConnection(readEnvironment({ ...variables, TEMPORAL_TLS_SERVER_NAME: 'localhost' }))).toEqual({
      address: 'temporal.example:7233',
      tls: {
        serverRootCACertificate: pem(authority.ca),
        clientCertPair: { crt: pem(cert), key: pem(key) },
        serverNameOverride: 'localhost',
      },
    });
    const cloud = { TEMPORAL_ADDRESS: 'ns.tmprl.cloud:7233', TEMPORAL_API_KEY: 'abc' };
    expect(temporalConnection(readEnvironment(cloud))).toEqual({ address: 'ns.tmprl.cloud:7233', tls: {}, apiKey: 'abc' });
    expect(temporalConnection(readEnvironment({ ...cloud, TEMPORAL_TLS: 'false' })).tls).toBeUndefined();
    expect(temporalConnection(readEnvironment({ TEMPORAL_API_KEY: 'abc' }))).toEqual({ address: '127.0.0.1:7233' });
    expect(() => temporalConnection(readEnvironment({ ...variables, TEMPORAL_TLS_CA: '/none.pem' }))).toThrow('TEMPORAL_TLS_CA');
  });

  it('answers clients and workers behind a server that asks for a certificate, and nobody without one', async () => {
    quietRuntime();
    const temporal = inject('temporalAddress').split(':');
    const options = { ...pair(served), ca: pem(authority.ca), requestCert: true, rejectUnauthorized: true, ALPNProtocols: ['h2'] };
    const port = await listening(createTlsServer(options, (client) => joined(client, Number(temporal[1]))));
    const { cert, key } = authority.sign('worker');
    const variables = { TEMPORAL_ADDRESS: `localhost:${port}`, TEMPORAL_TLS_CA: authority.ca };
    const known = temporalConnection(readEnvironment({ ...variables, TEMPORAL_TLS_CERT: cert, TEMPORAL_TLS_KEY: key }));
    const client = await Connection.connect(known);
    expect((await client.workflowService.getSystemInfo({})).serverVersion).toBeTruthy();
    await client.close();
    const worker = await NativeConnection.connect(known);
    await worker.close();
    const unknown = temporalConnection(readEnvironment(variables));
    await expect(Connection.connect({ ...unknown, connectTimeout: 500 })).rejects.toThrow();
    await expect(NativeConnection.connect(unknown)).rejects.toThrow();
  });
});

describe('Postgres', () => {
  /** Answers the request for TLS as Postgres does, and speaks TLS from there. */
  const postgresBehindTls = (upstreamPort: number) =>
    createTcpServer((raw) => {
      sockets.add(raw);
      raw.on('error', () => undefined);
      raw.once('data', () => {
        raw.write('S');
        joined(new TLSSocket(raw, { isServer: true, ...pair(served) }), upstreamPort);
      });
    });

  it('is asked by TLS, and by its name, where its URL says verify-full', async () => {
    const url = new URL(inject('postgresUrl'));
    url.port = String(await listening(postgresBehindTls(Number(url.port))));
    url.hostname = 'localhost';
    const ask = async (parameters: Record<string, string>) => {
      url.search = new URLSearchParams(parameters).toString();
      const { pool, close } = connectDatabase(url.href);
      return pool
        .query<{ answer: number }>('select 42 as answer')
        .then(({ rows }) => rows[0]?.answer)
        .finally(close);
    };
    expect(await ask({ sslmode: 'verify-full', sslrootcert: authority.ca })).toBe(42);
    await expect(ask({ sslmode: 'verify-full' })).rejects.toThrow(/certificate/);
    const stranger = createAuthority();
    await expect(ask({ sslmode: 'verify-full', sslrootcert: stranger.ca })).rejects.toThrow(/certificate|signature/);
    rmSync(stranger.directory, { recursive: true });
  });
});
