/**
 * What every engine must do under an engine host, whatever its kind: one suite that each driver's tests run. Its steps build on each other,
 * so that an engine that takes long to load is launched twice only.
 */
import { afterAll, describe, expect, it } from 'vitest';
import type { EngineDriver, EngineSpec, EngineState } from '../../engines/driver.ts';
import type { EngineHost } from '../../engines/host.ts';
import { listModels, type StreamedCompletion, streamCompletion } from '../../engines/openai.ts';
import { allPids, isRunning, readProcessStat } from '../../engines/process-identity.ts';
import { testHosts, until, untilReady } from './support.ts';

export interface EngineContract {
  driver(directory: string): EngineDriver;
  /** Of one replica, `demo-1`; the suite asks for two generations of it. */
  spec(generation: number): EngineSpec;
  /** Longest time to load, ms. */
  readyWithinMs: number;
  /** Tokens that keep eight streams busy for a second or more. */
  streamTokens: number;
}

const STREAMS = 8;

export function describeEngineContract({ driver: makeDriver, spec, readyWithinMs, streamTokens }: EngineContract): void {
  describe('engine contract', () => {
    const hosts = testHosts();
    const driver = makeDriver(hosts.directory);
    const host = hosts.open([driver]);
    afterAll(() => hosts.end(), 60_000);

    let engine: EngineState;
    const { deployment, model } = spec(1);
    const stream = (endpoint: string, maxTokens: number): Promise<StreamedCompletion> =>
      streamCompletion(endpoint, { model: deployment, prompt: 'Once upon a time', maxTokens, ignoreEos: true });

    it(
      'loads, and then serves under both of its names',
      async () => {
        engine = await host.start(spec(1));
        expect(await host.health('demo-1')).toMatchObject({ state: 'loading' });
        await untilReady(host, 'demo-1', readyWithinMs);
        expect(await listModels(engine.endpoint)).toEqual(expect.arrayContaining([deployment, model]));
      },
      2 * readyWithinMs,
    );

    it('streams completions and chats, token by token', async () => {
      const completion = await stream(engine.endpoint, 40);
      expect(completion).toMatchObject({ outputTokens: 40, finishReason: 'length' });
      expect(completion.inputTokens).toBeGreaterThan(0);
      expect(completion.tokenTimesMs.length).toBeGreaterThan(20);
      const messages = [{ role: 'user' as const, content: 'Say something.' }];
      const chat = await streamCompletion(engine.endpoint, { model, messages, maxTokens: 12, ignoreEos: true, priority: -5 });
      expect(chat).toMatchObject({ outputTokens: 12, finishReason: 'length' });
    }, 60_000);

    it('takes a prompt of token ids, as calibration sends it', async () => {
      const prompt = Array.from({ length: 300 }, (_, i) => 10 + (i % 50));
      const completion = await streamCompletion(engine.endpoint, { model, prompt, maxTokens: 2, ignoreEos: true });
      expect(completion).toMatchObject({ inputTokens: 300, outputTokens: 2 });
    }, 60_000);

    it('counts what it does in its metrics', async () => {
      const before = await driver.metrics(engine.endpoint);
      const streams = Array.from({ length: 3 }, () => stream(engine.endpoint, streamTokens));
      await until(async () => (await driver.metrics(engine.endpoint)).running === 3, 'three run');
      expect((await driver.metrics(engine.endpoint)).kvCacheUsage).toBeGreaterThan(0);
      await Promise.all(streams);
      await until(
        async () => (await driver.metrics(engine.endpoint)).requestsFinished === before.requestsFinished + 3,
        'three have finished',
      );
      const after = await driver.metrics(engine.endpoint);
      expect(after.generationTokens - before.generationTokens).toBe(3 * streamTokens);
      expect(after).toMatchObject({ running: 0, waiting: 0, preemptions: 0 });
      expect(after.kvCacheTokens).toBeGreaterThan(0);
    }, 60_000);

    it('is adopted by the next host worker', async () => {
      const successor = hosts.open([makeDriver(hosts.directory)]);
      expect((await successor.start(spec(1))).pid).toBe(engine.pid);
      expect(await successor.health('demo-1')).toEqual({ state: 'ready' });
      expect(await successor.list()).toMatchObject([{ replicaId: 'demo-1', generation: 1, endpoint: engine.endpoint, state: 'running' }]);
    }, 60_000);

    it('stopped under load, ends every stream with [DONE] and leaves no process', async () => {
      const streams = Array.from({ length: STREAMS }, () => stream(engine.endpoint, streamTokens));
      await until(async () => (await driver.metrics(engine.endpoint)).running === STREAMS, 'all run');
      const told: string[] = [];
      expect(await host.stop('demo-1', 1, { onWait: (detail) => told.push(detail) })).toEqual({ requestsDropped: 0 });
      const finished = await Promise.all(streams);
      expect(finished.map((s) => s.outputTokens)).toEqual(Array.from({ length: STREAMS }, () => streamTokens));
      expect(told[0]).toMatch(/^8 requests are open/);
      expect(processesOf(engine)).toEqual([]);
      expect(await host.list()).toEqual([]);
    }, 120_000);

    it(
      'does not come back as a generation that was left behind',
      async () => {
        await expect(host.start(spec(1))).rejects.toThrow(/was stopped on this host/);
        engine = await host.start(spec(2));
        await expect(host.start(spec(1))).rejects.toThrow(/generation 1 is older than 2/);
        await expect(host.stop('demo-1', 1)).rejects.toThrow(/generation 1 is older than 2/);
        await untilReady(host, 'demo-1', readyWithinMs);
      },
      2 * readyWithinMs,
    );

    it('killed by someone else, is seen as exited, and stopping it cleans up what it left', async () => {
      process.kill(engine.pid, 'SIGKILL');
      await until(async () => (await host.health('demo-1')).state === 'exited', 'it is seen');
      expect(await exitDetail(host)).toMatch(/^exited with SIGKILL; its log ends with:\n./);
      expect(await host.stop('demo-1', 2)).toEqual({ requestsDropped: 0 });
      expect(processesOf(engine)).toEqual([]);
    }, 60_000);
  });
}

async function exitDetail(host: EngineHost): Promise<string> {
  const health = await host.health('demo-1');
  return health.state === 'exited' ? health.detail : '';
}

/** The engine and whatever else lives in its process group. */
function processesOf({ pid, processStartTime }: EngineState): number[] {
  if (isRunning({ pid, startTime: processStartTime })) return [pid];
  return process.platform === 'linux' ? allPids().filter((other) => readProcessStat(other)?.group === pid) : [];
}
