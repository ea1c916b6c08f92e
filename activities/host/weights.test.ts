import type { Client } from '@temporalio/client';
import { MockActivityEnvironment } from '@temporalio/testing';
import { describe, expect, it } from 'vitest';
import { UellmError } from '../../core/domain/errors.ts';
import type { EngineHost } from '../../engines/host.ts';
import type { FetchNote, FetchOptions, WeightStore } from '../../engines/weights/store.ts';
import { engineSpec } from '../../test/engines/support.ts';
import { weightsProgressSignal } from '../../workflows/messages.ts';
import { createEngineActivities } from './engines.ts';
import { createWeightActivities, WEIGHTS_PROGRESS } from './weights.ts';

const STALL_MS = 60_000;
const spec = { engine: 'vllm' as const, replicaId: 'r1', source: 'hf://acme/tiny' };
const note = (line: string, bytes: number | null, percent: number | null = null): FetchNote => ({ line, bytes, percent });
const away = () => new UellmError({ kind: 'unavailable', what: 'hf://acme/tiny', reason: 'the hub answers 503' });

function storeOf(ensure: (fetch: FetchOptions) => Promise<string>): WeightStore {
  return { ensure: (_, fetch) => ensure(fetch), pathOf: async () => undefined, stallMs: STALL_MS };
}

/** Runs the activity; its heartbeats and what it tells its workflow are kept. */
async function run(weights: WeightStore | null, { engine = 'vllm', beat }: { engine?: 'vllm' | 'simulated'; beat?: object } = {}) {
  const signals: unknown[][] = [];
  const handle = { signal: async (...args: unknown[]) => void signals.push(args) };
  const client = {
    workflow: { getHandle: () => handle },
    withAbortSignal: (_: AbortSignal, work: () => unknown) => work(),
  } as unknown as Client;
  const environment = new MockActivityEnvironment(
    { heartbeatDetails: beat, workflowExecution: { workflowId: 'place-r1', runId: 'run' } },
    { client },
  );
  const beats: { line: string; bytes: number; advancedAtMs: number }[] = [];
  environment.on('heartbeat', (details) => beats.push(details));
  const { fetchWeights } = createWeightActivities({ weights });
  const result = (await environment.run(fetchWeights, { ...spec, engine }).catch((error: unknown) => error)) as string | UellmError;
  return { result, beats, signals };
}

describe('fetching weights', () => {
  it('fetches nothing for a simulated engine, nor without a cache, and says so', async () => {
    const never = storeOf(() => Promise.reject(new Error('nobody asked for it')));
    expect((await run(never, { engine: 'simulated' })).result).toBe('a simulated engine loads no weights');
    expect((await run(null)).result).toBe('this host keeps no cache of weights: the engine fetches hf://acme/tiny itself as it starts');
  });

  it('takes a folder in place without a cache, and misses one that is not here', async () => {
    const { fetchWeights } = createWeightActivities({ weights: null });
    expect(await fetchWeights({ ...spec, source: `file://${import.meta.dirname}` })).toBe(
      `${import.meta.dirname} is on this host and used in place`,
    );
    await expect(fetchWeights({ ...spec, source: 'file:///no/such/folder' })).rejects.toMatchObject({ detail: { kind: 'engine-failed' } });
  });

  it('tells its workflow how far it is, not of every look', async () => {
    const store = storeOf(async ({ onProgress }) => {
      for (let percent = 0; percent <= 100; percent += 10) onProgress(note(`copies /share: ${percent} %`, percent, percent));
      return 'fetched';
    });
    const { result, signals, beats } = await run(store);
    expect(result).toBe('fetched');
    expect(signals).toEqual([[weightsProgressSignal.name, 'copies /share: 0 %']]);
    expect(WEIGHTS_PROGRESS).toBe(weightsProgressSignal.name);
    expect(beats[0]).toMatchObject({ line: 'begins', bytes: -1 });
  });

  it('fails for now while something has advanced of late, and tells the next attempt when that was', async () => {
    const store = storeOf(async ({ onProgress }) => {
      onProgress(note('downloads', 7));
      throw away();
    });
    const long = Date.now() - 2 * STALL_MS;
    const { result, beats } = await run(store, { beat: { line: 'downloads', bytes: 5, advancedAtMs: long } });
    expect(result).toMatchObject({ detail: { kind: 'unavailable' } });
    expect(beats.at(-1)).toMatchObject({ line: 'downloads', bytes: 7 });
    expect(beats.at(-1)!.advancedAtMs).toBeGreaterThan(long);
  });

  it('fails for good when nothing has advanced for the limit, over all attempts', async () => {
    const beat = { line: 'downloads', bytes: 5, advancedAtMs: Date.now() - 2 * STALL_MS };
    const store = storeOf(async ({ onProgress }) => {
      onProgress(note('downloads', 5)); // as much as there was before
      throw away();
    });
    const { result } = await run(store, { beat });
    expect(result).toMatchObject({
      detail: { kind: 'engine-failed', reason: expect.stringMatching(/503; nothing has advanced for 60 s$/) },
    });
  });

  it('waiting for another replica that fetches the same counts as advancing', async () => {
    const beat = { line: 'downloads', bytes: 5, advancedAtMs: Date.now() - 2 * STALL_MS };
    const store = storeOf(async ({ onProgress }) => {
      onProgress(note('waits for the download of replica r0', null));
      throw away();
    });
    expect((await run(store, { beat })).result).toMatchObject({ detail: { kind: 'unavailable' } });
  });
});

it('an engine is started with the folder that its replica was given', async () => {
  const started: unknown[] = [];
  const engines = {
    start: async (spec: unknown) => {
      started.push(spec);
      return { endpoint: 'http://127.0.0.1:1' };
    },
  } as unknown as EngineHost;
  const weights = { ...storeOf(async () => ''), pathOf: async () => '/cache/tiny/model' };
  const engine = engineSpec({ source: spec.source });
  for (const host of [
    { engines, weights },
    { engines, weights: null },
  ])
    await new MockActivityEnvironment().run(createEngineActivities(host).startEngine, engine);
  expect(started).toEqual([{ ...engine, weightsPath: '/cache/tiny/model' }, engine]);
});
