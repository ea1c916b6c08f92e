import { describe, expect, it } from 'vitest';
import { UellmError } from '../../core/domain/errors.ts';
import { parseFleet } from './fleet-file.ts';
import { placeReplicas } from './replicas.ts';

const ENGINE = { stepOverheadMs: 3, chunkTokens: 512, maxSequences: 64, memory: 0.9, scheduling: 'fcfs' as const, prefixBlockTokens: null };

function place(fleet: unknown, { model, typicalTokens = 4000 }: { model?: string; typicalTokens?: number } = {}) {
  const text = typeof fleet === 'string' ? fleet : JSON.stringify(fleet);
  return placeReplicas(parseFleet(text, 'fleet.yaml'), { model, engine: ENGINE, typicalTokens, file: 'fleet.yaml' });
}
const host = (name: string, kind: string, count: number, rest: object = {}) => ({ name, accelerators: [{ kind, count, ...rest }] });
const H1 = host('h1', 'h100', 4);
const replica = (accelerators: number[], rest: object = {}) => ({ model: 'llama-3.1-8b', host: 'h1', accelerators, ...rest });

describe('a fleet file', () => {
  it('is documents as `apply` takes them', () => {
    const text = `
kind: Host
name: a
accelerators: [{ kind: H100-SXM, count: 1 }]
---
kind: Host
name: b
accelerators: [{ kind: L40S, count: 1 }]
---
kind: Model
name: own
source: hf://a/b
config: { num_hidden_layers: 16, hidden_size: 2048, num_attention_heads: 16, intermediate_size: 8192, vocab_size: 32000 }
---
kind: SloPolicy
name: p
targets: { ttftMs: 5 }
`;
    const fleet = parseFleet(text, 'f');
    expect([fleet.hosts.map(({ name }) => name), fleet.replicas]).toEqual([['a', 'b'], undefined]);
    expect(fleet.notes).toEqual(['documents of kind SloPolicy in f play no part in a simulation']);
    expect(place(text, { model: 'own' }).replicas.map((r) => [r.id, r.stepTimeSource])).toEqual([
      ['a/0', 'derived'],
      ['b/0', 'derived'],
    ]);
  });
  it('is one object, whose hosts may say that they are such', () => {
    const fleet = parseFleet(JSON.stringify({ hosts: [{ kind: 'Host', ...H1 }], models: [{ name: 'm' }] }), 'f');
    expect(fleet).toMatchObject({ hosts: [{ name: 'h1' }], models: [{ name: 'm', dtype: 'bf16' }] });
  });
  it.each([
    ['kind: Hosst\nname: x', /document 1: kind: got "Hosst", allowed is one of Host/],
    ['kind: Model\nname: m\nsource: hf://a/b', /kind: got no document of kind Host, allowed is at least one/],
    ['', /the input: got nothing, allowed is documents of kind Host/],
    ['hosts: []', /hosts: got \[\], allowed is a list with a length of at least 1/],
    [{ hosts: [H1], gpus: 3 }, /gpus: got 3, allowed is no such field/],
    [{ hosts: [{ ...H1, gpu: 1 }] }, /hosts\[0\]\.gpu: got 1, allowed is no such field/],
    [{ hosts: [host('h1', 'h1000', 1)] }, /hosts\[0\]\.accelerators\[0\]\.kind: got "h1000", allowed is one of T4/],
    [{ hosts: [H1, H1] }, /hosts: got .*allowed is hosts of different names/],
    [{ hosts: [H1], replicas: [{ ...replica([0]), tp: 1 }] }, /replicas\[0\]\.tp: got 1, allowed is no such field/],
    [{ hosts: [H1], replicas: [replica([0], { host: 'h9' })] }, /replicas\[0\]\.host: got "h9", allowed is one of h1/],
    [{ hosts: [H1], replicas: [replica([4])] }, /replicas\[0\]\.accelerators: got \[4\], allowed is indexes of h1's accelerators: 0 to 3/],
    [{ hosts: [H1], replicas: [replica([0, 0])] }, /replicas\[0\]\.accelerators: got \[0,0\], allowed is each index once/],
    [{ hosts: [H1], replicas: [replica([0, 1]), replica([1, 2])] }, /replicas\[1\]\.accelerators: got \[1,2\], .*replicas\[0\] has some/],
    [{ hosts: [H1], replicas: [replica([0], { tensorParallel: 2 })] }, /replicas\[0\]\.tensorParallel: got 2, allowed is as many .*: 1/],
    [{ hosts: [H1], replicas: [replica([0]), replica([1], { model: 'qwen3-32b' })] }, /--model: got replicas of llama-3.1-8b, qwen3-32b/],
    [{ hosts: [H1], replicas: [replica([0], { model: 'gpt-9' })] }, /model of the replicas: got "gpt-9", allowed is one of llama-3.1-8b/],
    [
      { hosts: [{ name: 'h1', accelerators: [...H1.accelerators, { kind: 'l4', count: 1 }] }], replicas: [replica([3, 4])] },
      /accelerators of one kind/,
    ],
  ])('%j is refused', (fleet, message) => {
    expect(() => place(fleet)).toThrow(UellmError);
    expect(() => place(fleet)).toThrow(message);
  });
});

describe('replicas', () => {
  it('are those that are declared', () => {
    const { replicas, notes } = place({ hosts: [H1], replicas: [replica([2, 3], { tensorParallel: 2 }), replica([0])] });
    expect(notes).toEqual([]);
    expect(replicas).toMatchObject([
      { id: 'h1/2+3', acceleratorKind: 'H100-SXM', tensorParallel: 2, usdPerHour: 5.9, stepTimeSource: 'measured' },
      { id: 'h1/0', tensorParallel: 1, kvCacheTokens: 450_912 },
    ]);
    expect(replicas[1]!.spec).toMatchObject({
      maxContextTokens: 131_072,
      maxSequences: 64,
      maxBatchedTokens: 512,
      stepTime: { d0: 6.374, o: 3 },
    });
  });
  it('are of one model', () => {
    const fleet = { hosts: [H1], replicas: [replica([0]), replica([1], { model: 'qwen3-32b' })] };
    const { replicas, notes } = place(fleet, { model: 'qwen3-32b' });
    expect([replicas.map(({ id }) => id), notes]).toEqual([['h1/1'], ['replicas of llama-3.1-8b are left out']]);
    expect(() => place(fleet, { model: 'llama-3.1-70b' })).toThrow(/--model: got "llama-3.1-70b", allowed is one that fleet.yaml has/);
  });
  it('fill every host at the narrowest width that holds a usual request', () => {
    const fleet = { hosts: [H1, host('odd', 'a100-80', 3), host('small', 't4', 8)] };
    const { replicas, notes } = place(fleet, { model: 'qwen3-32b', typicalTokens: 40_000 });
    expect(replicas.map(({ id }) => id)).toEqual(['h1/0+1', 'h1/2+3', 'odd/0+1', 'small/0+1+2+3+4+5+6+7']);
    expect(notes).toEqual([
      expect.stringMatching(/^hosts are filled with qwen3-32b at the narrowest .* 40000 tokens/),
      'h1: 2 replicas at tensor parallelism 2 on 4 × H100-SXM',
      'odd: 1 replica at tensor parallelism 2 on 3 × A100-80G-SXM; 1 of them idle and not paid for',
      'small: 1 replica at tensor parallelism 8 on 8 × T4',
      "step times on 8 × T4 follow from the catalog's figures: nobody measured them",
      'no cost: T4 has no price (usdPerHour of its host)',
    ]);
  });
  it('leave a host empty that none fits', () => {
    const { replicas, notes } = place({ hosts: [H1, host('small', 't4', 1)] });
    expect(replicas).toHaveLength(4);
    expect(notes).toContain('llama-3.1-8b does not fit small (1 × T4): without a replica');
  });
  it('cost what their host says, else the catalog', () => {
    const of = (rest: object) => place({ hosts: [host('h', 't4', 4, rest)] }).replicas.map(({ usdPerHour }) => usdPerHour);
    expect(of({ usdPerHour: 0.5 })).toEqual([1, 1]);
    expect(of({})).toEqual([null, null]);
  });
  it.each([
    [{ hosts: [host('h1', 't4', 1)] }, 'llama-3.1-8b', /fits none of the hosts: h1 \(1 × T4\)/],
    [{ hosts: [host('h1', 't4', 1)], replicas: [replica([0])] }, undefined, /does not fit 1 × T4 of h1: its weights leave no room/],
    [{ hosts: [H1], replicas: [replica([0, 1, 2])] }, undefined, /does not fit 3 × H100-SXM of h1: they do not divide its 32/],
  ])('are refused where nothing fits: %j', (fleet, model, message) => {
    expect(() => place(fleet, model ? { model } : {})).toThrow(message);
    try {
      place(fleet, model ? { model } : {});
    } catch (error) {
      expect((error as UellmError).detail.kind).toBe('refused');
    }
  });
});
