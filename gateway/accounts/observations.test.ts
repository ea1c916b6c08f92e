import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pino } from 'pino';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { Observation } from '../../core/domain/observation.ts';
import { anObservation } from '../../test/support/observations.ts';
import { createMetrics } from './metrics.ts';
import { ObservationLog } from './observations.ts';
import { Spool } from './spool.ts';

let directory: string;
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'uellm-spool-'));
});
afterEach(() => rmSync(directory, { recursive: true, force: true }));

const observation = (requestId: string) => anObservation(requestId, { outcome: 'shed', outputTokens: null });

/** A Postgres that can be away, and that stores each request id once. */
function store() {
  const state = { away: false as boolean | Error, stored: [] as string[], batches: [] as number[] };
  const deliver = async (batch: readonly Observation[]) => {
    if (state.away) throw state.away === true ? new Error('connect ECONNREFUSED') : state.away;
    state.batches.push(batch.length);
    for (const { requestId } of batch) if (!state.stored.includes(requestId)) state.stored.push(requestId);
  };
  return { state, deliver };
}

async function openLog(deliver: (batch: readonly Observation[]) => Promise<unknown>, maxRows?: number) {
  const spool = new Spool(directory, maxRows === undefined ? {} : { maxRows });
  await spool.load();
  const metrics = createMetrics();
  const log = new ObservationLog({ deliver, spool, metrics, logger: pino({ enabled: false }), flushEveryMs: 1e6 });
  const lost = async () => (await metrics.observationsLost.get()).values.reduce((sum, v) => sum + v.value, 0);
  return { log, lost };
}

function signal() {
  let give = () => {};
  const given = new Promise<void>((resolve) => {
    give = resolve;
  });
  return { given, give };
}

const files = () => readdirSync(directory).sort();

describe('observation log', () => {
  it('delivers in batches of at most 500', async () => {
    const { state, deliver } = store();
    const { log } = await openLog(deliver);
    for (let i = 0; i < 1200; i++) log.add(observation(`r${i}`));
    await log.close();
    expect(state.stored).toHaveLength(1200);
    expect(Math.max(...state.batches)).toBe(500);
    expect(files()).toEqual([]);
  });

  it('spools while the store is away, and delivers all of it once when it is back', async () => {
    const { state, deliver } = store();
    const { log } = await openLog(deliver);
    state.away = true;
    for (let round = 0; round < 3; round++) {
      for (let i = 0; i < 1100; i++) log.add(observation(`${round}-${i}`));
      await log.flush();
    }
    expect(state.stored).toEqual([]);
    expect(files()).toHaveLength(2);
    state.away = false;
    log.add(observation('last'));
    await log.flush();
    expect(state.stored).toHaveLength(3301);
    expect(files()).toEqual([]);
    await log.close();
  });

  it('goes on in the middle of a file when the store goes away again', async () => {
    const { state, deliver } = store();
    const { log } = await openLog(deliver);
    state.away = true;
    for (let i = 0; i < 1500; i++) log.add(observation(`r${i}`));
    await log.flush();
    let calls = 0;
    const once = async (batch: readonly Observation[]) => {
      calls += 1;
      if (calls === 2) throw new Error('gone again');
      await deliver(batch);
    };
    state.away = false;
    await log.close();
    const again = await openLog(once);
    for (let i = 0; i < 1500; i++) again.log.add(observation(`r${i}`));
    await again.log.close();
    await again.log.flush();
    expect(new Set(state.stored).size).toBe(1500);
    expect(state.stored).toHaveLength(1500);
    expect(files()).toEqual([]);
  });

  it('delivers what an earlier run left behind, but for a line that its crash cut off', async () => {
    const { state, deliver } = store();
    writeFileSync(join(directory, 'observations-0000000007.jsonl'), `${JSON.stringify(observation('old'))}\n{"requestId":"cu`);
    writeFileSync(join(directory, 'unrelated.txt'), 'stays');
    const { log, lost } = await openLog(deliver);
    await log.flush();
    expect(state.stored).toEqual(['old']);
    expect(await lost()).toBe(1);
    expect(files()).toEqual(['unrelated.txt']);
    await log.close();
  });

  it('gives up rows that are refused for their content, and goes on', async () => {
    const { state, deliver } = store();
    const { log, lost } = await openLog(deliver);
    state.away = new Error('query failed', { cause: Object.assign(new Error('out of range'), { code: '22003' }) });
    log.add(observation('bad'));
    await log.flush();
    state.away = false;
    log.add(observation('good'));
    await log.flush();
    expect(state.stored).toEqual(['good']);
    expect(await lost()).toBe(1);
    await log.close();
  });

  it('gives up no more than the rows at fault', async () => {
    const stored: string[] = [];
    const { log, lost } = await openLog(async (batch) => {
      if (batch.some(({ requestId }) => requestId.startsWith('bad')))
        throw new Error('query failed', { cause: Object.assign(new Error('out of range'), { code: '22003' }) });
      stored.push(...batch.map(({ requestId }) => requestId));
    });
    const ids = Array.from({ length: 100 }, (_, i) => (i === 17 || i === 99 ? `bad${i}` : `r${i}`));
    for (const id of ids) log.add(observation(id));
    await log.flush();
    expect(stored).toEqual(ids.filter((id) => id.startsWith('r')));
    expect(await lost()).toBe(2);
    await log.close();
  });

  it('keeps in memory what neither the store nor the disk takes, and delivers it once one does', async () => {
    const { state, deliver } = store();
    const { log, lost } = await openLog(deliver);
    state.away = true;
    rmSync(directory, { recursive: true });
    writeFileSync(directory, 'a file in the place of the folder');
    for (let round = 0; round < 3; round++) {
      log.add(observation(`r${round}`));
      await log.flush();
    }
    rmSync(directory);
    await log.flush();
    expect(files()).toHaveLength(1);
    state.away = false;
    await log.flush();
    await log.close();
    expect([state.stored, files(), await lost()]).toEqual([['r0', 'r1', 'r2'], [], 0]);
  });

  it('counts what is too much for memory', async () => {
    const { state, deliver } = store();
    const { log, lost } = await openLog(deliver);
    state.away = true;
    rmSync(directory, { recursive: true });
    writeFileSync(directory, 'a file in the place of the folder');
    for (let i = 0; i < 50_100; i++) log.add(observation(`r${i}`));
    const flushed = log.flush();
    for (let i = 0; i < 50; i++) log.add(observation(`late${i}`));
    await flushed;
    expect(await lost()).toBe(100 + 50);
    await log.close();
  });

  it('bounds what lies on disk: the oldest go first', async () => {
    const { state, deliver } = store();
    const { log, lost } = await openLog(deliver, 4000);
    state.away = true;
    for (let file = 0; file < 4; file++) {
      for (let i = 0; i < 2000; i++) log.add(observation(`${file}-${i}`));
      await log.flush();
    }
    expect(files()).toEqual([
      expect.stringMatching(/^observations-[0-9a-f]{8}-0000000003\.jsonl$/),
      expect.stringMatching(/-0000000004\.jsonl\.open$/),
    ]);
    expect(readFileSync(join(directory, files()[0]!), 'utf8')).toContain('"2-0"');
    expect(await lost()).toBe(4000);
    await log.close();
  });

  it('lets others read between two deliveries, and tells them where it does not know what is stored', async () => {
    const { state, deliver } = store();
    const told: number[] = [];
    const gate = signal();
    const { log } = await openLog(async (batch) => {
      await deliver(batch);
      await gate.given; // stored, and not answered yet
    });
    const look = () => log.between(async (sure) => void told.push(sure ? state.stored.length : -1));
    log.add(observation('r1'));
    const flushed = log.flush();
    await expect.poll(() => state.stored).toEqual(['r1']);
    const during = look();
    await new Promise((resolve) => setImmediate(resolve));
    expect(told).toEqual([]);
    gate.give();
    await Promise.all([flushed, during]);
    expect(told).toEqual([1]);

    state.away = true;
    log.add(observation('r2'));
    await log.flush();
    await look();
    state.away = false;
    await look();
    await log.flush();
    await look();
    expect(told).toEqual([1, -1, -1, 2]);

    const reading = signal();
    const held = log.between(() => reading.given);
    log.add(observation('r3'));
    const after = log.flush();
    await new Promise((resolve) => setTimeout(resolve, 20));
    expect(state.stored).not.toContain('r3');
    reading.give();
    await Promise.all([held, after]);
    expect(state.stored).toContain('r3');
    await log.close();
  });
});
