/** A gateway's delivery of observations, killed at its worst moments: another process goes on, with a real Postgres. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { createInterface } from 'node:readline';
import { sql } from 'drizzle-orm';
import { pino } from 'pino';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { insertObservations } from '../../db/queries/observations.ts';
import { createTestDatabase, type TestDatabase } from '../../test/support/database.ts';
import { createMetrics } from './metrics.ts';
import { ObservationLog } from './observations.ts';
import { Spool } from './spool.ts';

let database: TestDatabase;
let directory: string;
beforeEach(async () => {
  database = await createTestDatabase();
  directory = mkdtempSync(join(tmpdir(), 'uellm-spool-'));
});
afterEach(async () => {
  await database.drop();
  rmSync(directory, { recursive: true, force: true });
});

const root = resolve(import.meta.dirname, '..', '..');

/** Runs until it is killed, which is when it has printed a line that `isTime`. @returns the lines */
async function killed(deliver: string, isTime: (line: string, lines: number) => boolean): Promise<string[]> {
  const program = `
    import { pino } from 'pino';
    import { connectDatabase } from '${root}/db/client.ts';
    import { insertObservations } from '${root}/db/queries/observations.ts';
    import { createMetrics } from '${root}/gateway/accounts/metrics.ts';
    import { ObservationLog } from '${root}/gateway/accounts/observations.ts';
    import { Spool } from '${root}/gateway/accounts/spool.ts';
    import { anObservation } from '${root}/test/support/observations.ts';
    const { db } = connectDatabase(process.env.TEST_DATABASE_URL);
    const say = (text) => process.stdout.write(text + '\\n');
    const spool = new Spool(process.env.TEST_SPOOL, { maxRows: 1e9 });
    await spool.load();
    let away = true;
    const deliver = async (batch) => { ${deliver} };
    const logger = pino({ enabled: false });
    const log = new ObservationLog({ deliver, spool, metrics: createMetrics(), logger, flushEveryMs: 1e6 });
    const fields = { tenant: 'acme', inputTokens: 3, outputTokens: 2, acceptedAtMs: Date.UTC(2026, 0, 31) };
    for (let round = 0; ; round++) {
      for (let i = 0; i < 700; i++) log.add(anObservation(round + '-' + i, fields));
      if (round === 3) away = false;
      await log.flush();
      say('spooled ' + round);
    }`;
  const child = spawn(process.execPath, ['--import', 'tsx', '--input-type=module', '-e', program], {
    cwd: root,
    env: { ...process.env, TEST_DATABASE_URL: database.url, TEST_SPOOL: directory },
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const ended = once(child, 'exit');
  const lines: string[] = [];
  for await (const line of createInterface(child.stdout)) {
    lines.push(line);
    if (isTime(line, lines.length)) child.kill('SIGKILL');
  }
  const [, signal] = await ended;
  expect(signal).toBe('SIGKILL');
  return lines;
}

/** The next run. */
async function goOn(): Promise<void> {
  const { db } = database.connection;
  const spool = new Spool(directory, { deadAfterMs: 0 });
  await spool.load();
  const deliver = (batch: Parameters<typeof insertObservations>[1]) => insertObservations(db, batch);
  const log = new ObservationLog({ deliver, spool, metrics: createMetrics(), logger: pino({ enabled: false }), flushEveryMs: 1e6 });
  await log.close();
}

async function stored(): Promise<{ ids: string[]; usage: Record<string, unknown>[] }> {
  const { db } = database.connection;
  const ids = await db.execute<{ id: string }>(sql`select request_id as id from observations`);
  const usage = await db.execute(sql`select tenant, day::text, requests::int, input_tokens::int, output_tokens::int from tenant_usage`);
  return { ids: ids.rows.map(({ id }) => id), usage: usage.rows };
}

/** All rows of the rounds that were on disk, each once, and counted once. */
async function expectOnce(rounds: number): Promise<void> {
  const { ids, usage } = await stored();
  expect(readdirSync(directory)).toEqual([]);
  expect(new Set(ids).size).toBe(ids.length);
  const expected = Array.from({ length: rounds * 700 }, (_, i) => `${Math.floor(i / 700)}-${i % 700}`);
  expect(new Set(ids)).toEqual(new Set([...expected, ...ids]));
  expect(usage).toEqual([
    { tenant: 'acme', day: '2026-01-31', requests: ids.length, input_tokens: 3 * ids.length, output_tokens: 2 * ids.length },
  ]);
}

it('killed while it writes to disk: what was there before arrives once, and of the rest what is whole', async () => {
  const lines = await killed('throw new Error("away")', (line) => line === 'spooled 9');
  await goOn();
  await expectOnce(lines.length);
});

it('killed while it delivers: half of a file was stored', async () => {
  await killed(
    'if (away) throw new Error("away"); await insertObservations(db, batch); say("stored");',
    (line, lines) => line === 'stored' && lines >= 5,
  );
  const before = (await stored()).ids.length;
  expect(before).toBeGreaterThanOrEqual(500);
  await goOn();
  expect((await stored()).ids.length).toBeGreaterThan(before);
  await expectOnce(3);
});

it('killed after all was stored and before the file is gone', async () => {
  const away = 'if (away) throw new Error("away"); ';
  const deliver = `${away} await insertObservations(db, batch); if (batch.length < 500) { say("stored"); await new Promise(() => {}); }`;
  await killed(deliver, (line) => line === 'stored');
  expect(readdirSync(directory).length).toBeGreaterThan(0);
  await goOn();
  await expectOnce(3);
});

it('two that share the folder deliver the same files at once', async () => {
  await killed('throw new Error("away")', (line) => line === 'spooled 5');
  await Promise.all([goOn(), goOn(), goOn()]);
  await expectOnce(6);
});
