/**
 * No word of a prompt is kept anywhere: not by the database, not by Temporal, not by a log, a spool or a snapshot. A whole installation as
 * `npm start` makes it serves prompts full of words that nobody else writes; then all that it has on disk and tells over HTTP is searched for
 * them. Words of a second kind are where they are kept (names), so that a search that finds nothing means something.
 */
import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, mkdtempSync, openSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import pg from 'pg';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { variablesOf } from '../../bin/environment/for-children.ts';
import { type Environment, readEnvironment } from '../../bin/environment.ts';
import { layoutOf } from '../../bin/up/layout.ts';
import type { ProfilerSnapshot } from '../../core/profiler/snapshot.ts';
import { deriveKey } from '../../gateway/access/feature-key.ts';
import { filesUnder, flock, type Place, traces } from '../support/canaries.ts';
import { execute, withDatabase } from '../support/database.ts';
import { smallFleet } from '../support/demo-objects.ts';
import { drained } from '../support/drained.ts';
import { freePorts } from '../support/ports.ts';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));
/** In prompts, and in other fields of requests that are none of our business. */
const hidden = flock('Canary');
/** In names, which are kept. */
const named = flock('kept');
const MODEL = named.word('tiny');
const tenant = (features: string) => named.word(features);

let directory: string;
let environment: Environment;
let up: ChildProcess;
let databaseUrl: string;

beforeAll(async () => {
  directory = mkdtempSync(join(tmpdir(), 'uellm-privacy-'));
  chmodSync(directory, 0o755); // where we are root, Postgres runs as somebody else
  const tenants = ['full', 'lengths-only', 'off'].map((features) => ({ kind: 'Tenant', name: tenant(features), features }));
  const objects = [...smallFleet().objects, ...tenants].map((object) =>
    JSON.stringify(object).replace(/"(tiny|h1|h2)"/g, (_, name: string) => JSON.stringify(named.word(name))),
  );
  writeFileSync(join(directory, 'fleet.yaml'), objects.join('\n---\n'));
  environment = readEnvironment({
    UELLM_DATA_DIR: join(directory, 'data'),
    ...(await freePorts()),
    UELLM_LOG_LEVEL: 'debug',
  });
  const out = openSync(join(directory, 'up.log'), 'a');
  up = spawn('npm', ['start', '--', '--fleet', join(directory, 'fleet.yaml')], {
    cwd: ROOT,
    detached: true,
    stdio: ['ignore', out, out],
    env: variablesOf(environment),
  });
  const serves = async () => expect(await ask({ prompt: 'hello', max_tokens: 1 })).toMatchObject({ status: 200 });
  const ended = once(up, 'exit').then(() => {
    throw new Error(`it ended: ${readFileSync(join(directory, 'up.log'), 'utf8')}`);
  });
  ended.catch(() => undefined); // at the end it is meant to
  await Promise.race([ended, vi.waitFor(serves, { timeout: 120_000, interval: 250 })]);
  databaseUrl = urlOfDatabase();
}, 150_000);

afterAll(() => {
  try {
    process.kill(-up.pid!, 'SIGKILL');
  } catch {
    // it has ended
  }
  const lines = execFileSync('ps', ['-eo', 'pid,args'], { encoding: 'utf8' }).split('\n');
  for (const line of lines.filter((l) => l.includes(environment.dataDir))) {
    try {
      process.kill(Number(line.trim().split(' ')[0]), 'SIGKILL');
    } catch {
      // it has ended meanwhile
    }
  }
  rmSync(directory, { recursive: true, force: true });
}, 30_000);

/** Of the Postgres that was started: its port is in its own pid file. */
function urlOfDatabase(): string {
  const port = readFileSync(join(environment.dataDir, 'postgres', 'postmaster.pid'), 'utf8').split('\n')[3];
  const password = readFileSync(join(environment.dataDir, 'postgres.password'), 'utf8').trim();
  return `postgres://uellm:${password}@127.0.0.1:${port}/uellm`;
}

interface Sending {
  headers?: Record<string, string>;
  signal?: AbortSignal;
}

/** Posts a body, which is a chat if it has messages. */
async function ask(body: object | string, { headers = {}, signal }: Sending = {}): Promise<{ status: number; text: string }> {
  const isChat = typeof body === 'string' ? body.includes('messages') : 'messages' in body;
  const response = await fetch(`${environment.gatewayUrl}/v1/${isChat ? 'chat/completions' : 'completions'}`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', ...headers },
    body: typeof body === 'string' ? body : JSON.stringify({ model: MODEL, ...body }),
    ...(signal ? { signal } : {}),
  });
  return { status: response.status, text: await response.text() };
}

async function api<T>(method: string, path: string): Promise<T> {
  const response = await fetch(`${environment.apiUrl}/api/v1${path}`, { method });
  const text = await response.text();
  if (!response.ok) throw new Error(`${method} ${path}: ${response.status} ${text}`);
  return (text ? JSON.parse(text) : undefined) as T;
}

async function query<T extends object>(text: string): Promise<T[]> {
  const client = new pg.Client({ connectionString: databaseUrl });
  await client.connect();
  try {
    return (await client.query<T>(text)).rows;
  } finally {
    await client.end();
  }
}

/** Every row of every table, each value as it reads; bytes also as they are. */
async function databaseDump(): Promise<Place[]> {
  const tables = await query<{ name: string }>(
    `select format('%I.%I', table_schema, table_name) as name from information_schema.tables
     where table_type = 'BASE TABLE' and table_schema not in ('pg_catalog', 'information_schema')`,
  );
  const places: Place[] = [];
  for (const { name } of tables) {
    const rows = await query<Record<string, unknown>>(`select * from ${name}`);
    const values = rows.flatMap((row) => Object.values(row)).filter((value) => value !== null);
    const bytes = values.map((value) => {
      if (!Buffer.isBuffer(value)) return Buffer.from(typeof value === 'string' ? value : JSON.stringify(value));
      return Buffer.concat([value, Buffer.from(`\n${value.toString('hex')}`)]);
    });
    places.push({ name: `table ${name}`, bytes: Buffer.concat(bytes.flatMap((b) => [b, Buffer.from('\n')])) });
  }
  return places;
}

/** All that is told over HTTP. */
async function told(): Promise<Place[]> {
  const { profilerUrl, gatewayUrl, apiUrl } = environment;
  const urls = [
    ...['/v1/snapshot', '/v1/status', '/metrics'].map((path) => profilerUrl + path),
    ...['/uellm/stats', '/metrics'].map((path) => gatewayUrl + path),
    ...['/audit', '/replicas', '/rollouts', '/corrections', '/tenants'].map((path) => `${apiUrl}/api/v1${path}`),
  ];
  return Promise.all(
    urls.map(async (url) => {
      const response = await fetch(url);
      expect([url, response.status]).toEqual([url, 200]);
      return { name: url, bytes: Buffer.from(await response.arrayBuffer()) };
    }),
  );
}

interface Counts {
  observations: number;
  with_features: number;
  cancelled: number;
}
const counts = async () =>
  (
    await query<Counts>(
      `select count(*)::int as observations, count(features)::int as with_features,
       count(*) filter (where outcome = 'cancelled')::int as cancelled from observations`,
    )
  )[0]!;

const as = (features: string): Sending => ({ headers: { 'x-tenant-id': tenant(features) } });
const user = (content: unknown) => ({ role: 'user', content });
const spoolDir = () => join(environment.dataDir, 'spool');
const { word } = hidden;

describe('words of prompts', () => {
  it('of requests of every kind are taken in', { timeout: 120_000 }, async () => {
    const chat = (messages: unknown, more: object = {}) => ({ messages, simulated_output_tokens: 3, ...more });
    const served: [object, Sending?][] = [
      [chat([user(`${word('chat')} is what I ask`)])],
      [chat([{ role: 'system', content: `You are ${word('system')}.` }, user('hello')])],
      [chat([user(word('earlier-turn')), { role: 'assistant', content: `${word('earlier-answer')}!` }, user(word('last-turn'))])],
      [
        chat([
          user([
            { type: 'text', text: word('part') },
            { type: 'text', text: word('second-part') },
          ]),
        ]),
      ],
      [chat([user(word('streamed'))], { stream: true })],
      [chat([user(word('explained'))], { stream: true }), { headers: { 'x-uellm-explain': 'true' } }],
      [chat([user('hello')], { user: word('user-field'), stop: [word('stop')], metadata: { note: word('metadata') } })],
      [chat([user('hello')], { tools: [{ type: 'function', function: { name: 'f', description: word('tool') } }] })],
      [{ prompt: word('completion'), max_tokens: 3 }],
      [{ prompt: [word('completion-list')], max_tokens: 3 }],
      [{ prompt: `${word('completion-streamed')} once upon a time`, max_tokens: 3, stream: true }],
      ...['full', 'lengths-only', 'off'].map((features): [object, Sending] => [
        chat([user(`${word(`tenant-${features}`)} speaks`)]),
        as(features),
      ]),
    ];
    for (const [body, sending] of served) expect(await ask(body, sending)).toMatchObject({ status: 200 });

    const refused: [object | string, number][] = [
      [`{"model": "${MODEL}", "messages": [{"role": "user", "content": "${word('cut-off')}`, 400],
      [`{"model": "${MODEL}", "prompt": ${word('unquoted')}}`, 400],
      [`{"model": "${MODEL}", "prompt": "${word('control-character')}\u0001"}`, 400],
      [{ messages: word('ill-typed') }, 400],
      [{ prompt: { text: word('ill-typed-prompt') } }, 400],
      [{ prompt: word('unknown-model'), model: 'unknown' }, 404],
      [{ prompt: `${word('longer-than-the-context')} ${'word '.repeat(20_000)}` }, 400],
      [{ prompt: `${word('larger-than-accepted')} ${'x'.repeat(17 * 1024 * 1024)}` }, 413],
    ];
    for (const [body, status] of refused) expect(await ask(body)).toMatchObject({ status });

    const leave = new AbortController();
    const left = ask(chat([user(word('cancelled'))], { stream: true, simulated_output_tokens: 4000 }), { signal: leave.signal });
    setTimeout(() => leave.abort(), 500);
    await expect(left).rejects.toThrow('abort');
    await expect.poll(async () => (await counts()).cancelled, { timeout: 15_000 }).toBe(1);
  });

  it('teach the profiler, which publishes what it learned from them', { timeout: 90_000 }, async () => {
    const { id } = deriveKey(readFileSync(layoutOf(environment.dataDir).featureKeyFile, 'utf8'))!;
    for (let i = 0; i < 64; i += 16) {
      const some = Array.from({ length: 16 }, (_, j) =>
        ask(
          { messages: [user(`Tell ${word(`lesson-${i + j}`)} about ${word('lessons')}`)], simulated_output_tokens: 3 + (j % 4) },
          as('full'),
        ),
      );
      for (const { status } of await Promise.all(some)) expect(status).toBe(200);
    }
    await expect.poll(async () => (await counts()).with_features, { timeout: 30_000 }).toBeGreaterThan(70);
    const learned = async () => {
      const snapshot = (await (await fetch(`${environment.profilerUrl}/v1/snapshot`)).json()) as ProfilerSnapshot;
      return snapshot.models[MODEL]?.text?.keyId;
    };
    await expect.poll(learned, { timeout: 40_000, interval: 500 }).toBe(id);
    const keys = await query<{ tenant: string; key: string | null }>(
      `select distinct tenant, feature_key as key from observations where tenant like '${named.marker}%' order by 1`,
    );
    expect(keys).toEqual([
      { tenant: tenant('full'), key: id },
      { tenant: tenant('lengths-only'), key: null },
      { tenant: tenant('off'), key: 'off' },
    ]);
  });

  it('are not in the spool, where observations wait while Postgres is away', { timeout: 60_000 }, async () => {
    const admin = withDatabase(databaseUrl, 'postgres');
    const before = (await counts()).observations;
    await execute(admin, 'alter database uellm with allow_connections false');
    try {
      await execute(admin, `select pg_terminate_backend(pid) from pg_stat_activity where datname = 'uellm'`);
      for (let i = 0; i < 4; i++) await ask({ prompt: word('while-away'), simulated_output_tokens: 2 }, as('full'));
      // A file is there before what is written into it.
      await expect.poll(() => traces(named.marker, filesUnder(spoolDir())), { timeout: 15_000 }).not.toEqual([]);
      const spooled = filesUnder(spoolDir());
      expect(Buffer.concat(spooled.map(({ bytes }) => bytes)).toString()).toMatch(/"features":"[A-Za-z0-9+/]{100}/);
      expect(traces(hidden.marker, spooled)).toEqual([]);
    } finally {
      await execute(admin, 'alter database uellm with allow_connections true');
    }
    await expect
      .poll(
        () =>
          counts().then(
            ({ observations }) => observations,
            () => 0,
          ),
        { timeout: 30_000 },
      )
      .toBeGreaterThanOrEqual(before + 4);
  });

  it('are nowhere else either, after a host was drained under load', { timeout: 120_000 }, async () => {
    const { items } = await api<{ items: { host: string; state: string }[] }>('GET', '/replicas');
    const host = items.find(({ state }) => state === 'ready')!.host;
    const streams = Array.from({ length: 4 }, (_, i) =>
      ask({ messages: [user(word(`drained-${i}`))], stream: true, simulated_output_tokens: 200 }),
    );
    await api('POST', `/hosts/${host}/drain`);
    await drained({ api }, host, 60_000);
    for (const { text } of await Promise.all(streams)) expect(text.trimEnd()).toMatch(/\[DONE\]$/);

    // What Postgres holds in memory is on disk after this.
    await query('checkpoint');
    const [dump, http, files] = [await databaseDump(), await told(), filesUnder(directory)];
    const everywhere = [...dump, ...http, ...files];
    expect(traces(hidden.marker, everywhere)).toEqual([]);

    // The same search finds what is kept, in every kind of place.
    const kept = traces(named.marker, everywhere);
    for (const place of [
      /^table public\.(tenants|observations|profiler_snapshots): as text/,
      /\/v1\/snapshot: as text/,
      /\/metrics: as text/,
      /^data\/temporal\.db(-wal)?: as text/,
      /^data\/logs\/\w+\.log: as text/,
      /^data\/postgres\/pg_wal\/\w+: as text/,
      /^data\/hosts\/.*\.log: as text/,
    ]) {
      expect(
        kept.filter((line) => place.test(line)),
        String(place),
      ).not.toEqual([]);
    }
    // Temporal's histories are not compressed: what workflows were given can be read there.
    const histories = files.filter(({ name }) => /^data\/temporal\.db/.test(name)).map(({ bytes }) => bytes);
    expect(Buffer.concat(histories).includes(`"deployment":"${MODEL}"`)).toBe(true);
    expect(files.map(({ name }) => name)).toEqual(
      expect.arrayContaining(
        ['gateway', 'profiler', 'control', 'api', 'host', 'postgres', 'temporal'].map((role) => `data/logs/${role}.log`),
      ),
    );
  });
});
