/** What an observation carries of a request's words, by what its tenant allows; and what the profiler learns from it. Real Postgres. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pino } from 'pino';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { Observation } from '../../core/domain/observation.ts';
import type { TenantFeatures } from '../../core/domain/tenant.ts';
import { learn, type Skipped } from '../../core/profiler/learn.ts';
import { COLD_START_SNAPSHOT } from '../../core/profiler/snapshot.ts';
import { unpackSketch } from '../../core/profiler/text/pack.ts';
import { createSketcher } from '../../core/profiler/text/sketch.ts';
import type { Database } from '../../db/client.ts';
import { observationsAfter } from '../../db/queries/observations.ts';
import { bumpRoutingVersion } from '../../db/queries/routing.ts';
import { insertTenant, updateTenant } from '../../db/queries/tenants.ts';
import { replicas } from '../../db/schema/index.ts';
import { createTestDatabase, type TestDatabase } from '../../test/support/database.ts';
import { until } from '../../test/support/gateway.ts';
import { startUpstream, streamed, type TestUpstream } from '../../test/support/upstream.ts';
import { type Gateway, startGateway } from '../server.ts';
import { deriveKey } from './feature-key.ts';

const [SECRET, OTHER] = ['1f'.repeat(32), '2e'.repeat(32)];
const KEY = deriveKey(SECRET)!;

let database: TestDatabase;
let db: Database;
let engine: TestUpstream;
let directory: string;
let keyFile: string;
let gateway: Gateway | undefined;
beforeEach(async () => {
  database = await createTestDatabase();
  db = database.connection.db;
  engine = await startUpstream();
  directory = mkdtempSync(join(tmpdir(), 'uellm-features-'));
  keyFile = join(directory, 'feature-key');
  writeFileSync(keyFile, SECRET);
  await db.transaction(async (tx) => {
    await tx.insert(replicas).values({
      ...{ id: 'r1', model: 'llama-3.1-8b', deployment: 'chat', revision: 1, host: 'h1', accelerators: [0], acceleratorKind: 'H100-SXM' },
      ...{ tensorParallel: 1, engine: 'simulated', endpoint: engine.url, state: 'ready', weight: 100, simulated: true },
      kvCacheTokens: 400_000,
      stepTime: { d0: 6, d1: 0.01, d2: 4e-5, ra: 0.01, rc: 0.006, rb: 4e-7, o: 1 },
    });
    for (const features of ['full', 'lengths-only', 'off'] as const) await insertTenant(tx, { name: features, features });
    await bumpRoutingVersion(tx);
  });
});
afterEach(async () => {
  await gateway?.close();
  gateway = undefined;
  await engine.close();
  await database.drop();
  rmSync(directory, { recursive: true, force: true });
});

async function start(featureKeyFile?: string): Promise<void> {
  gateway = await startGateway({
    source: { kind: 'postgres', database: database.connection, spoolDir: join(directory, 'spool') },
    address: '127.0.0.1',
    port: 0,
    logger: pino({ level: 'fatal' }),
    featureKeyFile,
  });
  await until(async () => (await fetch(`${gateway!.url}/readyz`)).status === 200);
}

const MESSAGES = [
  { role: 'system', content: 'You are a poet.' },
  { role: 'user', content: 'Write a poem about the sea, please.' },
];

/** @returns the predicted tokens */
async function ask(tenant: string, more: object = {}): Promise<number> {
  const response = await fetch(`${gateway!.url}/v1/chat/completions`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', 'x-tenant-id': tenant },
    body: JSON.stringify({ model: 'chat', stream: true, messages: MESSAGES, ...more }),
  });
  await response.text();
  return Number(response.headers.get('x-uellm-predicted-output-tokens'));
}

async function observed(count: number): Promise<Map<string, Observation & { id: number }>> {
  await until(async () => (await observationsAfter(db, 0, 100)).length === count);
  return new Map((await observationsAfter(db, 0, 100)).map((o) => [o.tenant, o]));
}

const skippedOf = (observation: Observation & { id: number }): (keyof Skipped)[] => {
  const { skipped } = learn(COLD_START_SNAPSHOT, [observation]);
  return (Object.keys(skipped) as (keyof Skipped)[]).filter((reason) => skipped[reason] > 0);
};

describe('what an observation carries', () => {
  it('is what its tenant allows, and everything where nothing was declared', async () => {
    await start(keyFile);
    for (const tenant of ['full', 'lengths-only', 'off', 'undeclared']) await ask(tenant);
    const of = await observed(4);
    const sketch = createSketcher(KEY).sketch({
      ...{ prompt: MESSAGES[1]!.content, system: MESSAGES[0]!.content },
      ...{ turn: 0, earlierAnswerCharacters: 0, temperature: null, tools: false },
    });
    for (const tenant of ['full', 'undeclared']) {
      expect(of.get(tenant)).toMatchObject({ featureKey: KEY.id, features: expect.any(String), outputTokens: 3 });
      expect(unpackSketch(Buffer.from(of.get(tenant)!.features!, 'base64'), KEY.id)).toEqual(sketch);
    }
    expect(of.get('lengths-only')).toMatchObject({ featureKey: null, features: null, outputTokens: 3 });
    expect(of.get('off')).toMatchObject({ featureKey: 'off', features: null, outputTokens: 3 });
    expect([...of].map(([tenant, o]) => [tenant, skippedOf(o)])).toEqual([
      ['full', []],
      ['lengths-only', []],
      ['off', ['private']],
      ['undeclared', []],
    ]);
  });

  it('follows what is declared meanwhile', async () => {
    await start(keyFile);
    await ask('full');
    await observed(1);
    await db.transaction((tx) => updateTenant(tx, { name: 'full', features: 'off' satisfies TenantFeatures }));
    await until(async () => {
      await ask('full');
      return (await observationsAfter(db, 0, 1000)).some((o) => o.featureKey === 'off');
    });
  });

  it('has no words where the prompt is no text, the answer did not end well, or there is no key', async () => {
    await start(keyFile);
    await fetch(`${gateway!.url}/v1/completions`, {
      method: 'POST',
      headers: { 'x-tenant-id': 'tokens' },
      body: JSON.stringify({ model: 'chat', prompt: [1, 2, 3], stream: true }),
    }).then((response) => response.text());
    engine.answer = (res) => res.destroy();
    await ask('failing');
    const of = await observed(2);
    expect(of.get('tokens')).toMatchObject({ outcome: 'ok', features: null, featureKey: null });
    expect(of.get('failing')).toMatchObject({ outcome: 'failed', features: null });
    await gateway!.close();
    await start(undefined);
    engine.answer = streamed(['a']);
    await ask('keyless');
    expect((await observed(3)).get('keyless')).toMatchObject({ outcome: 'ok', features: null, featureKey: null });
  });

  it('names the key that is in force when it is replaced', { timeout: 30_000 }, async () => {
    await start(keyFile);
    await ask('before');
    expect((await observed(1)).get('before')!.featureKey).toBe(KEY.id);
    writeFileSync(keyFile, OTHER);
    let asked = 0;
    await until(async () => {
      await ask(`after-${asked++}`);
      await new Promise((resolve) => setTimeout(resolve, 250));
      return (await observationsAfter(db, 0, 1000)).some((o) => o.featureKey === deriveKey(OTHER)!.id);
    }, 15_000);
  });
});

describe('a prediction', () => {
  it('knows no more of a request than its tenant allows', async () => {
    await start(keyFile);
    const long = [{ role: 'user', content: 'Write a very long and detailed essay about the history of the sea. '.repeat(40) }];
    const asked = async (tenant: string) => [await ask(tenant), await ask(tenant, { messages: long })] as const;
    const [short, essay] = await asked('full');
    expect(short).not.toBe(essay);
    // Off: model and class alone, whatever the prompt and its length.
    const [shortOff, essayOff] = await asked('off');
    expect(shortOff).toBe(essayOff);
    // Lengths alone: at a cold start they say the same of every prompt, its words would not.
    const [shortLengths, essayLengths] = await asked('lengths-only');
    expect(shortLengths).toBe(essayLengths);
    expect(shortLengths).not.toBe(short);
  });
});
