/**
 * What every engine must do under an engine host, whatever its kind: one suite that each driver's tests run. Its steps build on each other,
 * so that an engine that takes long to load has to do so only twice.
 */
import { afterAll, describe, expect, it } from 'vitest';
import type { EngineDriver, EngineMetrics, EngineSpec, EngineState } from '../../engines/driver.ts';
import type { EngineHost } from '../../engines/host.ts';
import { listModels, streamCompletion } from '../../engines/openai.ts';
import { allPids, isRunning, readProcessStat } from '../../engines/process-identity.ts';
import { testHosts, until, untilReady } from './support.ts';

export interface EngineContract {
  driver(directory: string): EngineDriver;
  /** Of one replica, `demo-1`; the suite asks for three generations of it. */
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
    const complete = (maxTokens: number) =>
      streamCompletion(engine.endpoint, { model: deployment, prompt: 'Once upon a time', maxTokens, ignoreEos: true });
    /** An engine that shares its processors with its own workers may leave a question unanswered now and then. */
    const metrics = (): Promise<EngineMetrics | null> => driver.metrics(engine.endpoint).catch(() => null);

    it('loads, and then serves under both of its names', { timeout: 2 * readyWithinMs }, async () => {
      engine = await host.start(spec(1));
      expect(await host.health('demo-1')).toMatchObject({ state: 'loading' });
      await untilReady(host, 'demo-1', readyWithinMs);
      expect(await listModels(engine.endpoint)).toEqual(expect.arrayContaining([deployment, model]));
    });

    it('streams completions and chats', { timeout: 60_000 }, async () => {
      const completion = await complete(40);
      expect(completion).toMatchObject({ outputTokens: 40, finishReason: 'length' });
      expect(completion.inputTokens).toBeGreaterThan(0);
      expect(completion.tokenTimesMs.length).toBeGreaterThan(1);
      const messages = [{ role: 'user' as const, content: 'Say something.' }];
      const chat = await streamCompletion(engine.endpoint, { model, messages, maxTokens: 12, ignoreEos: true, priority: -5 });
      expect(chat).toMatchObject({ outputTokens: 12, finishReason: 'length' });
    });

    it('takes a prompt of token ids, as calibration sends it', { timeout: 60_000 }, async () => {
      const prompt = Array.from({ length: 300 }, (_, i) => 10 + (i % 50));
      const completion = await streamCompletion(engine.endpoint, { model, prompt, maxTokens: 2, ignoreEos: true });
      expect(completion).toMatchObject({ inputTokens: 300, outputTokens: 2 });
    });

    it('counts what it does in its metrics', { timeout: 120_000 }, async () => {
      const before = await driver.metrics(engine.endpoint);
      const completions = Promise.all(Array.from({ length: 3 }, () => complete(streamTokens)));
      const kvCacheUsage: number[] = [];
      const seenRunning = async () => {
        const now = await metrics();
        if (now && now.running > 0) kvCacheUsage.push(now.kvCacheUsage);
        return kvCacheUsage.length > 0;
      };
      await until(seenRunning, 'requests run', 30_000);
      expect(kvCacheUsage[0]).toBeGreaterThan(0);
      await completions;
      await until(async () => (await metrics())?.requestsFinished === before.requestsFinished + 3, 'three have finished', 30_000);
      const after = await driver.metrics(engine.endpoint);
      expect(after.generationTokens - before.generationTokens).toBe(3 * streamTokens);
      expect(after).toMatchObject({ running: 0, waiting: 0, preemptions: 0 });
      expect(after.kvCacheTokens).toBeGreaterThan(0);
    });

    it('is adopted by the next host worker', { timeout: 30_000 }, async () => {
      const successor = hosts.open([makeDriver(hosts.directory)]);
      expect((await successor.start(spec(1))).pid).toBe(engine.pid);
      expect(await successor.health('demo-1')).toEqual({ state: 'ready' });
      expect(await successor.list()).toMatchObject([{ replicaId: 'demo-1', generation: 1, endpoint: engine.endpoint, state: 'running' }]);
    });

    it('stopped under load, ends every stream with [DONE] and leaves no process', { timeout: 120_000 }, async () => {
      const streams = Array.from({ length: STREAMS }, () => openStream(engine.endpoint, deployment, streamTokens));
      await Promise.all(streams.map((s) => s.begun));
      const told: string[] = [];
      const stopped = await host.stop('demo-1', 1, { onWait: (detail) => told.push(detail) });
      const endings = await Promise.all(streams.map(async (s) => (await s.text).trimEnd().slice(-12)));
      expect(endings).toEqual(Array.from({ length: STREAMS }, () => 'data: [DONE]'));
      expect(stopped).toEqual({ requestsDropped: 0 });
      expect(told[0]).toMatch(/^\d+ requests are open; \d+ s of grace left$/);
      expect(processesOf(engine)).toEqual([]);
      expect(await host.list()).toEqual([]);
    });

    it('does not come back as a generation that was left behind', { timeout: 2 * readyWithinMs }, async () => {
      await expect(host.start(spec(1))).rejects.toThrow(/was stopped on this host/);
      engine = await host.start(spec(2));
      await expect(host.start(spec(1))).rejects.toThrow(/generation 1 is older than 2/);
      await expect(host.stop('demo-1', 1)).rejects.toThrow(/generation 1 is older than 2/);
      await untilReady(host, 'demo-1', readyWithinMs);
    });

    it('killed by someone else, is seen as exited, and stopping it cleans up what it left', { timeout: 60_000 }, async () => {
      process.kill(engine.pid, 'SIGKILL');
      await until(async () => (await host.health('demo-1')).state === 'exited', 'it is seen');
      expect(await exitDetail(host)).toMatch(/^exited with SIGKILL; its log ends with:\n./);
      expect(await host.stop('demo-1', 2)).toEqual({ requestsDropped: 0 });
      expect(processesOf(engine)).toEqual([]);
    });

    it('stopped while it loads, is gone as well', { timeout: 90_000 }, async () => {
      engine = await host.start(spec(3));
      await new Promise((resolve) => setTimeout(resolve, readyWithinMs / 30));
      expect(await host.stop('demo-1', 3)).toEqual({ requestsDropped: 0 });
      expect(processesOf(engine)).toEqual([]);
    });
  });
}

/** A stream in progress: its first bytes, and all that came. */
function openStream(endpoint: string, model: string, maxTokens: number): { begun: Promise<void>; text: Promise<string> } {
  let begin = () => {};
  const begun = new Promise<void>((resolve) => {
    begin = resolve;
  });
  const read = async () => {
    const body = JSON.stringify({ model, prompt: 'Once', max_tokens: maxTokens, ignore_eos: true, stream: true });
    const answer = await fetch(`${endpoint}/v1/completions`, { method: 'POST', headers: { 'content-type': 'application/json' }, body });
    const decoder = new TextDecoder();
    let text = '';
    for await (const bytes of answer.body!) {
      text += decoder.decode(bytes, { stream: true });
      begin();
    }
    return text;
  };
  return { begun, text: read() };
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
