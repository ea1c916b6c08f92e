import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { UellmError } from '../core/domain/errors.ts';
import { GIB } from '../core/domain/units.ts';
import { engineSpec, fakeDriver, type TestHosts, testHosts } from '../test/engines/support.ts';
import type { AcceleratorMemory } from './accelerator-memory.ts';

let hosts: TestHosts;
beforeEach(() => {
  hosts = testHosts();
});
afterEach(() => hosts.end());

const use = (index: number, usedGib: number, holders: string[] = []): AcceleratorMemory => ({
  index,
  totalBytes: 80 * GIB,
  usedBytes: usedGib * GIB,
  holders,
});
/** An engine of a kind that takes accelerators, in the guise of a fake process. */
const real = (changes: Parameters<typeof engineSpec>[0] = {}) => engineSpec({ engine: 'vllm', ...changes });
const open = (read: () => Promise<AcceleratorMemory[]>, waitMs = 200) =>
  hosts.open([fakeDriver({ kind: 'vllm' }), fakeDriver()], { read, waitMs });

describe('memory of accelerators', () => {
  it('refuses one whose memory stays in use, names bytes and process, and holds nothing for it', async () => {
    const held = [use(0, 0.4), use(1, 27.25, ['pid 4242 (python3)'])];
    const host = open(async () => held);
    const refused = await host.start(real({ accelerators: [0, 1] })).catch((error: unknown) => error as UellmError);
    expect(refused).toBeInstanceOf(UellmError);
    expect((refused as UellmError).detail).toMatchObject({
      kind: 'conflict',
      name: 'h1/1',
      reason: '27.3 of 80.0 GiB of its memory are in use by pid 4242 (python3), and were not given back within 0.2 s: nothing starts on it',
    });
    expect(await host.list()).toEqual([]);
    // The accelerator beside it is free.
    expect(await host.start(real({ replicaId: 'beside', accelerators: [0] }))).toMatchObject({ spec: { replicaId: 'beside' } });
  });

  it('waits for what a killed engine gives back late, and says so meanwhile', async () => {
    let looks = 0;
    const host = open(async () => [use(0, ++looks < 3 ? 70 : 0.2)], 10_000);
    const said: string[] = [];
    await host.start(real(), { onWait: (detail) => said.push(detail) });
    expect(looks).toBe(3);
    expect(said).toContain('accelerator 0: 70.0 of 80.0 GiB of its memory are in use');
  });

  it('of two that want an accelerator, one waits for its memory and the other is refused at once', async () => {
    let free = false;
    const host = open(async () => [use(0, free ? 0 : 70)], 10_000);
    const said: string[] = [];
    const first = host.start(real({ replicaId: 'a' }), { onWait: (detail) => said.push(detail) });
    await expect.poll(() => said.length).toBeGreaterThan(1);
    await expect(host.start(real({ replicaId: 'b' }))).rejects.toThrow(/held by the engine of replica a/);
    free = true;
    expect(await first).toMatchObject({ spec: { replicaId: 'a' } });
  });

  it('gives up when asked to, and leaves nothing behind', async () => {
    const host = open(async () => [use(0, 70)], 60_000);
    await expect(host.start(real(), { signal: AbortSignal.timeout(100) })).rejects.toThrow(/timeout/i);
    expect(await host.list()).toEqual([]);
  });

  it('asks nothing of a simulated engine, and finds what nobody can tell of free', async () => {
    const strange = open(async () => [use(0, 70)]);
    expect(await strange.start(engineSpec())).toMatchObject({ spec: { replicaId: 'demo-1' } });
    const blind = open(async () => []);
    expect(await blind.start(real({ replicaId: 'other', accelerators: [1] }))).toMatchObject({ spec: { replicaId: 'other' } });
  });
});
