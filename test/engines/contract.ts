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
  /** Does it speak OpenAI's API itself: chats, token ids, two names? */
  openai: boolean;
  /** Further tests of the first engine, as it serves. */
  whileItServes?(its: { host: EngineHost; engine(): EngineState }): void;
  /** Looked at while it ends, its streams still running. */
  whileItEnds?(engine: EngineState): Promise<void>;
}

const STREAMS = 8;
const yes = () => true;
const no = () => false;

export function describeEngineContract(contract: EngineContract): void {
  const { driver: makeDriver, spec, readyWithinMs, streamTokens, openai } = contract;
  // No second attempt: a step that failed leaves an engine in which the same step means nothing.
  describe('engine contract', { retry: 0 }, () => {
    const hosts = testHosts();
    const driver = makeDriver(hosts.directory);
    const host = hosts.open([driver]);
    afterAll(() => hosts.end(), 60_000);

    let engine: EngineState;
    const { deployment, model } = spec(1);
    const complete = (maxTokens: number, onToken?: () => void) =>
      driver.stream(engine.endpoint, {
        model: deployment,
        prompt: 'Once upon a time',
        maxTokens,
        ignoreEos: true,
        ...(onToken && { onToken }),
      });
    /** An engine that shares its processors with its own workers may leave a question unanswered now and then. */
    const metrics = (): Promise<EngineMetrics | null> => driver.metrics(engine.endpoint).catch(() => null);
    /** An answer is there a moment before all of it is counted. */
    const settledMetrics = async (): Promise<EngineMetrics> => {
      let last: EngineMetrics | null = null;
      await until(
        async () => {
          const [earlier, now] = [last, await metrics()];
          last = now;
          await new Promise((resolve) => setTimeout(resolve, 250));
          return now?.running === 0 && now.generationTokens === earlier?.generationTokens;
        },
        'nothing more is counted',
        60_000,
      );
      return last!;
    };

    it('loads, and then serves', { timeout: 2 * readyWithinMs }, async () => {
      engine = await host.start(spec(1));
      expect(await host.health('demo-1')).toMatchObject({ state: 'loading' });
      await untilReady(host, 'demo-1', readyWithinMs);
    });

    it('streams completions', { timeout: 60_000 }, async () => {
      const completion = await complete(40);
      expect(completion).toMatchObject({ outputTokens: 40, finishReason: 'length' });
      expect(completion.inputTokens).toBeGreaterThan(0);
      expect(completion.tokenTimesMs.length).toBeGreaterThan(1);
    });

    if (openai) describeOpenAi(() => engine.endpoint, [deployment, model]);

    it('counts what it does in its metrics', { timeout: 300_000 }, async () => {
      const before = await settledMetrics();
      let asked = 0;
      let busy: EngineMetrics | null = null;
      // Where the machine stalls, all may have run between two looks: then there are more.
      await until(
        async () => {
          const atOnce = Array.from({ length: 3 }, () => complete(streamTokens));
          asked += atOnce.length;
          let over = false;
          const all = Promise.all(atOnce).finally(() => {
            over = true;
          });
          while (!over) {
            const now = await metrics();
            if (now?.running) busy = now;
          }
          await all;
          return busy !== null;
        },
        'requests run',
        120_000,
      );
      expect(busy!.kvCacheUsage).toBeGreaterThan(0);
      await until(async () => (await metrics())?.requestsFinished === before.requestsFinished! + asked, 'all have finished', 60_000);
      const after = await settledMetrics();
      expect(after.generationTokens! - before.generationTokens!).toBe(asked * streamTokens);
      expect(after).toMatchObject({ running: 0, waiting: 0, preemptions: 0 });
      if (openai) expect(after.kvCacheTokens).toBeGreaterThan(0);
    });

    it('is adopted by the next host worker', { timeout: 30_000 }, async () => {
      const successor = hosts.open([makeDriver(hosts.directory)]);
      expect((await successor.start(spec(1))).pid).toBe(engine.pid);
      expect(await successor.health('demo-1')).toEqual({ state: 'ready' });
      expect(await successor.list()).toMatchObject([{ replicaId: 'demo-1', generation: 1, endpoint: engine.endpoint, state: 'running' }]);
    });

    contract.whileItServes?.({ host, engine: () => engine });

    it('stopped under load, ends every stream, takes nothing new, and leaves no process', { timeout: 120_000 }, async () => {
      let begun = 0;
      const streams = Promise.all(
        Array.from({ length: STREAMS }, () => {
          let first = true;
          return complete(streamTokens, () => {
            begun += first ? 1 : 0;
            first = false;
          });
        }),
      );
      await Promise.race([until(() => begun === STREAMS, 'all streams run', 60_000), streams]);
      const told: string[] = [];
      const stopping = host.stop('demo-1', 1, { onWait: (detail) => told.push(detail) });
      await until(() => told.length > 0, 'it is asked to end');
      // A signal is on its way for a moment before the engine heeds it.
      await until(() => complete(1).then(no, yes), 'it takes nothing new');
      await contract.whileItEnds?.(engine);
      const ended = await streams;
      expect(ended.map((s) => s.outputTokens)).toEqual(Array.from({ length: STREAMS }, () => streamTokens));
      expect(await stopping).toEqual({ requestsDropped: 0 });
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

/** What engines that gateways speak to in OpenAI's own words do beside. */
function describeOpenAi(endpoint: () => string, names: string[]): void {
  it('serves under both of its names, chats and text', { timeout: 60_000 }, async () => {
    expect(await listModels(endpoint())).toEqual(expect.arrayContaining(names));
    const messages = [{ role: 'user' as const, content: 'Say something.' }];
    const chat = await streamCompletion(endpoint(), { model: names[1]!, messages, maxTokens: 12, ignoreEos: true, priority: -5 });
    expect(chat).toMatchObject({ outputTokens: 12, finishReason: 'length' });
  });

  it('takes a prompt of token ids', { timeout: 60_000 }, async () => {
    const prompt = Array.from({ length: 300 }, (_, i) => 10 + (i % 50));
    const completion = await streamCompletion(endpoint(), { model: names[1]!, prompt, maxTokens: 2, ignoreEos: true });
    expect(completion).toMatchObject({ inputTokens: 300, outputTokens: 2 });
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
