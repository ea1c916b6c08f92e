import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { request } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import pino from 'pino';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { insertObservations } from '../db/queries/observations.ts';
import { bumpRoutingVersion } from '../db/queries/routing.ts';
import { costSources, fakeActions } from '../test/support/api.ts';
import { createTestDatabase, type TestDatabase } from '../test/support/database.ts';
import { anObservation } from '../test/support/observations.ts';
import { type ApiOptions, type RunningApi, startApi } from './server.ts';

let database: TestDatabase;
let webRoot: string;
let api: RunningApi;
let options: ApiOptions;
beforeAll(async () => {
  database = await createTestDatabase();
  webRoot = mkdtempSync(join(tmpdir(), 'uellm-web-'));
  mkdirSync(join(webRoot, 'assets'));
  writeFileSync(join(webRoot, 'index.html'), '<!doctype html><html><title>dashboard</title></html>');
  writeFileSync(join(webRoot, 'assets', 'app-1234.js'), 'export {}');
  const info = { version: '1', temporalUiUrl: null, gatewayUrl: null };
  const logger = pino({ level: 'silent' });
  const cost = costSources(database.connection.db);
  options = {
    database: database.connection,
    actions: fakeActions(),
    cost,
    address: '127.0.0.1',
    port: 0,
    apiKeys: [],
    logger,
    info,
    webRoot,
  };
  api = await startApi(options);
});
afterAll(async () => {
  await api.close();
  await database.drop();
  rmSync(webRoot, { recursive: true });
});

describe('startApi', () => {
  it('refuses to be reached from elsewhere without a key', async () => {
    await expect(startApi({ ...options, address: '0.0.0.0' })).rejects.toThrow(/UELLM_API_KEY/);
  });

  it('passes on that a port is taken', async () => {
    await expect(startApi({ ...options, port: Number(new URL(api.url).port) })).rejects.toMatchObject({ code: 'EADDRINUSE' });
  });

  it('refuses a foreign Host as it comes over the wire', async () => {
    const status = await new Promise<number | undefined>((resolve, reject) => {
      request(`${api.url}/api/v1/hosts`, { headers: { host: 'evil.example' } }, (answer) => resolve(answer.resume().statusCode))
        .on('error', reject)
        .end();
    });
    expect(status).toBe(403);
  });

  it('serves the dashboard: its files for long, its page for every address of its own, problems for the rest', async () => {
    const get = async (path: string, accept: string) => {
      const answer = await fetch(api.url + path, { headers: { accept } });
      return { status: answer.status, headers: answer.headers, text: await answer.text() };
    };
    for (const path of ['/', '/hosts/h1']) {
      const page = await get(path, 'text/html');
      expect([page.status, page.headers.get('content-type'), page.headers.get('cache-control')]).toEqual([
        200,
        'text/html; charset=utf-8',
        'no-cache',
      ]);
      expect(page.headers.get('content-security-policy')).toContain("frame-ancestors 'none'");
      expect(page.text).toContain('dashboard');
    }
    const script = await get('/assets/app-1234.js', '*/*');
    expect([script.headers.get('content-type'), script.headers.get('cache-control')]).toEqual([
      'text/javascript; charset=utf-8',
      'public, max-age=31536000, immutable',
    ]);
    for (const path of ['/assets/none.js', '/../package.json', '/%2e%2e/package.json', '/..%2fpackage.json'])
      expect((await get(path, '*/*')).status).toBe(404);
    expect((await get('/api/v1/nothing', 'text/html')).headers.get('content-type')).toBe('application/problem+json');
  });

  it('tells changes as they happen, and ends the stream when it closes', async () => {
    const own = await startApi(options);
    const stream = await fetch(`${own.url}/api/v1/events`);
    expect(stream.headers.get('content-type')).toContain('text/event-stream');
    let heard = '';
    const reading = (async () => {
      for await (const chunk of stream.body!) heard += Buffer.from(chunk).toString();
    })();
    const created = await fetch(`${own.url}/api/v1/slo-policies`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ name: 'p', targets: { ttftMs: 1 } }),
    });
    expect(created.status).toBe(201);
    await expect.poll(() => heard).toContain('event: changed\ndata: {"kind":"slo-policies"}\n\n');
    heard = '';
    await bumpRoutingVersion(database.connection.db);
    await expect.poll(() => heard).toContain('data: {"kind":"routing"}');
    heard = '';
    await insertObservations(database.connection.db, [anObservation('seen')]);
    await expect.poll(() => heard, { timeout: 10_000 }).toContain('data: {"kind":"observations"}');
    await own.close();
    await reading;
  });

  it('lets go of watchers that went away: their number is bounded', async () => {
    for (let i = 0; i < 300; i++) {
      const leaving = new AbortController();
      const stream = await fetch(`${api.url}/api/v1/events`, { signal: leaving.signal });
      expect(stream.status).toBe(200);
      leaving.abort();
    }
  });
});
