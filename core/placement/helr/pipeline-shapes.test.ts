import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { CATALOG_PRICES, fleetOf } from '../../../test/support/placement.ts';
import { acceleratorKind } from '../../domain/accelerators.ts';
import type { LinkSpec } from '../../domain/links.ts';
import type { MemorySettings } from '../../domain/memory.ts';
import { KNOWN_CONFIGS, modelShape } from '../../domain/model-spec.ts';
import { decodeStepMs } from '../../domain/step-time.ts';
import {
  type FreeHost,
  type PipelineShape,
  type PipelineWish,
  pipelineShapes,
  pipelinesAcross,
  pipelinesWithin,
} from './pipeline-shapes.ts';
import { pipelineKvCacheTokens } from './pipeline-step-time.ts';

const models = Object.fromEntries(Object.entries(KNOWN_CONFIGS).map(([name, config]) => [name, modelShape(name, config, 'bf16')]));

function wishFor(model: string, more: Partial<PipelineWish> = {}): PipelineWish {
  const batch = { sequences: 8, contextTokens: 1000 };
  return { model: models[model]!, widths: [1, 2, 4, 8], leastKvCacheTokens: 4096, batch, prices: CATALOG_PRICES, ...more };
}

/** Whole hosts of one kind each, `a: 4 H100-SXM`, or `a: 4 H100-SXM, 2 L40S` of more. */
function free(...texts: string[]): FreeHost[] {
  return texts.map((text) => {
    const [name, groups = ''] = text.split(': ');
    const parts = fleetOf(...groups.split(', ').map((group) => `${name}: ${group}`));
    const host = { ...parts[0]!, accelerators: parts.flatMap((h) => h.accelerators) };
    return { host, free: [...host.accelerators.keys()] };
  });
}

function withLinks(hosts: FreeHost[], links: LinkSpec[]): FreeHost[] {
  return hosts.map(({ host, free }) => ({ host: { ...host, links }, free }));
}

/** `a 0,1 H100-SXM x40` a stage. */
const told = ({ stages }: PipelineShape) => stages.map((s) => `${s.host} ${s.accelerators} ${s.acceleratorKind} x${s.layers}`);

describe('within one host', () => {
  it('are every width and depth that fit, layers split evenly', () => {
    const shapes = pipelinesWithin(wishFor('llama-3.1-8b'), free('a: 4 H100-SXM')[0]!);
    expect(shapes.map((s) => [s.stages[0]!.tensorParallel, s.stages.map((x) => x.layers)])).toEqual([
      [1, [16, 16]],
      [1, [11, 11, 10]],
      [1, [8, 8, 8, 8]],
      [2, [16, 16]],
    ]);
    expect(told(shapes[3]!)).toEqual(['a 0,1 H100-SXM x16', 'a 2,3 H100-SXM x16']);
  });
  it('take only free accelerators', () => {
    const [host] = free('a: 6 H100-SXM');
    const shapes = pipelinesWithin(wishFor('llama-3.1-8b'), { ...host!, free: [1, 4, 5] });
    expect(shapes.map(told)).toEqual([
      ['a 1 H100-SXM x16', 'a 4 H100-SXM x16'],
      ['a 1 H100-SXM x11', 'a 4 H100-SXM x11', 'a 5 H100-SXM x10'],
    ]);
  });
  it('leave out what does not hold the model and its cache', () => {
    const depths = (kv: number) =>
      pipelinesWithin(wishFor('llama-3.1-70b', { leastKvCacheTokens: kv }), free('a: 8 L40S')[0]!).map((s) => s.stages.length);
    expect(depths(4096)).toEqual([4, 5, 6, 7, 8]);
    expect(depths(100_000)).toEqual([5, 6, 7, 8]);
  });
  it('count with the memory that the engine is told to use', () => {
    const kvOf = (memory: MemorySettings) =>
      pipelinesWithin(wishFor('llama-3.1-8b', { widths: [1], memory }), free('a: 2 H100-SXM')[0]!)[0]!.kvCacheTokens;
    expect(kvOf({ memoryUtilisation: 0.5 })).toBeLessThan(0.6 * kvOf({}));
    expect(kvOf({ kvValueBytes: 1 })).toBeCloseTo(2 * kvOf({}), -2);
  });
  it('have stages of one accelerator where the link is slow, and of widths that the heads allow', () => {
    const widths = (hosts: FreeHost[], more: Partial<PipelineWish> = {}) => [
      ...new Set(pipelinesWithin(wishFor('llama-3.1-8b', more), hosts[0]!).map((s) => s.stages[0]!.tensorParallel)),
    ];
    expect(widths(free('a: 8 L40S'))).toEqual([1]);
    expect(widths(withLinks(free('a: 8 H100-SXM'), [{ between: 'accelerators', kind: 'pcie' }]))).toEqual([1]);
    expect(widths(free('a: 8 H100-SXM'))).toEqual([1, 2, 4]);
    expect(widths(free('a: 8 H100-SXM'), { model: { ...models['llama-3.1-8b']!, attentionHeads: 6 } })).toEqual([1, 2]);
    expect(widths(free('a: 8 H100-SXM'), { widths: [2] })).toEqual([2]);
  });
  it('are measured only where every stage is', () => {
    const source = (kind: string) => pipelinesWithin(wishFor('qwen3-32b', { widths: [1] }), free(`a: 2 ${kind}`)[0]!)[0]?.source;
    expect(source('H100-SXM')).toBe('measured');
    expect(source('MI300X')).toBe('derived');
  });
});

describe('across kinds and hosts', () => {
  it('are looked for only where no host holds the model alone', () => {
    const spread = (...texts: string[]) =>
      pipelineShapes(wishFor('llama-3.1-70b'), free(...texts)).some((s) => new Set(s.stages.map((x) => x.host)).size > 1);
    expect(spread('a: 1 H100-SXM', 'b: 1 H100-SXM', 'c: 1 L40S')).toBe(true);
    expect(spread('a: 1 H100-SXM', 'b: 1 H100-SXM', 'c: 4 L40S')).toBe(false);
  });

  it('fill the fastest accelerators and keep neighbours together', () => {
    const [shape] = pipelinesAcross(wishFor('llama-3.1-70b'), free('a: 1 L40S', 'b: 1 H100-SXM', 'c: 2 L40S'));
    // 42 layers are all that the H100 holds beside its part of the cache.
    expect(told(shape!)).toEqual(['b 0 H100-SXM x42', 'c 0 L40S x19', 'c 1 L40S x19']);
    expect(shape!.source).toBe('derived');
  });

  it('do not span a slow link to gain an accelerator that the SLO does not need', () => {
    const hosts = free('a: 4 L40S', 'b: 1 H100-SXM');
    const prices = { ...CATALOG_PRICES, byHost: { b: { 'H100-SXM': 9 } } };
    const hostsOf = (tpotMs: number) =>
      new Set(
        pipelinesAcross(wishFor('llama-3.1-70b', { widths: [1], tpotMs, prices }), hosts).flatMap((s) => s.stages.map((x) => x.host)),
      );
    const alone = pipelinesWithin(wishFor('llama-3.1-70b', { widths: [1] }), hosts[0]!)[0]!;
    const aloneMs = decodeStepMs(alone.stepTime, 8, 8000);
    expect(hostsOf(1.1 * aloneMs)).toEqual(new Set(['a']));
    expect(hostsOf(0.8 * aloneMs)).toEqual(new Set(['a', 'b']));
    // Nothing is that quick: the quickest is offered.
    expect(hostsOf(1)).toEqual(new Set(['a', 'b']));
  });

  it('have one width throughout, each with what its hosts have', () => {
    const shapes = pipelinesAcross(wishFor('llama-3.1-70b'), free('a: 2 A100-40G-SXM', 'b: 3 A100-40G-SXM', 'c: 1 H100-SXM'));
    expect(shapes.map((s) => s.stages.map((x) => x.tensorParallel))).toEqual([
      [1, 1, 1],
      [2, 2],
    ]);
    expect(shapes[1]!.stages.map((s) => s.host).sort()).toEqual(['a', 'b']);
  });

  it('hold the cache that is asked for, as the engine keeps it', () => {
    const [h100, kv] = [free('a: 1 H100-SXM', 'b: 1 H100-SXM', 'c: 1 H100-SXM'), { leastKvCacheTokens: 40_000 }];
    const depth = (wish: PipelineWish, hosts: FreeHost[]) => pipelinesAcross(wish, hosts)[0]!.stages.length;
    expect(depth(wishFor('llama-3.1-70b', kv), h100)).toBe(3);
    expect(depth(wishFor('llama-3.1-70b', { ...kv, memory: { kvValueBytes: 1 } }), h100)).toBe(2);
    // Eight accelerators hold eight copies of a single KV head.
    const model = { ...models['llama-3.1-70b']!, kvHeads: 1 };
    const a100 = free('a: 8 A100-40G-SXM', 'b: 8 A100-40G-SXM');
    expect(depth(wishFor('llama-3.1-70b', { model, widths: [8], leastKvCacheTokens: 50_000 }), a100)).toBe(1);
    expect(depth(wishFor('llama-3.1-70b', { model, widths: [8], leastKvCacheTokens: 80_000 }), a100)).toBe(2);
  });

  it('are none where all accelerators together do not hold the model', () => {
    expect(pipelineShapes(wishFor('llama-3.1-70b'), free('a: 1 H100-SXM', 'b: 2 T4'))).toEqual([]);
    expect(pipelineShapes(wishFor('llama-3.1-70b'), [])).toEqual([]);
  });

  it('are found among hundreds of hosts', () => {
    const hosts = free(...Array.from({ length: 300 }, (_, i) => `h${i}: 1 ${['L4', 'L40S', 'T4'][i % 3]}`));
    const [shape] = pipelineShapes(wishFor('llama-3.1-70b'), hosts);
    expect(new Set(shape!.stages.map((s) => s.acceleratorKind))).toEqual(new Set(['L40S']));
    expect(shape!.stages).toHaveLength(4);
  });

  it('are not crowded out by many fast hosts that are alike', () => {
    const prices = { byKind: { 'H100-SXM': 9, L40S: 1 }, byHost: {} };
    const names = Array.from({ length: 300 }, (_, i) => `fast-${i}: 1 H100-SXM`);
    const hosts = free(...names, ...['a', 'b', 'c', 'd'].map((name) => `${name}: 1 L40S`));
    const [shape] = pipelinesAcross(wishFor('llama-3.1-70b', { tpotMs: 1000, prices }), hosts);
    expect(shape!.stages.map((s) => s.acceleratorKind)).toEqual(Array(4).fill('L40S'));
  });

  it('do not begin a stage whose overhead costs more than its accelerator gains', () => {
    // The T4 is a little faster, and holds one of two layers.
    const model = { ...models['llama-3.1-8b']!, layers: 2, weightsBytes: 1e9, kvBytesPerToken: 18e5 };
    const batch = { sequences: 1, contextTokens: 100 };
    const shapes = pipelinesAcross(wishFor('llama-3.1-8b', { model, batch, leastKvCacheTokens: 10_000 }), free('a: 1 L4', 'b: 1 T4'));
    expect(shapes.map(told)).toEqual([['a 0 L4 x2']]);
  });
});

describe('every pipeline', () => {
  const hostText = fc.tuple(
    fc.integer({ min: 1, max: 8 }),
    fc.constantFrom('H100-SXM', 'A100-40G-SXM', 'L40S', 'T4', 'MI300X', 'RTX4090'),
    fc.option(fc.constantFrom('1 L4', '2 A40')),
  );
  const fleets = fc
    .array(hostText, { minLength: 1, maxLength: 5 })
    .map((list) => free(...list.map(([count, kind, more], i) => `h${i}: ${count} ${kind}${more ? `, ${more}` : ''}`)));
  const wishes = fc
    .record({
      name: fc.constantFrom('llama-3.1-8b', 'llama-3.1-70b', 'qwen3-32b'),
      kvHeads: fc.constantFrom(2, 8),
      kv: fc.integer({ min: 100, max: 60_000 }),
      memory: fc.constantFrom<MemorySettings>({}, { memoryUtilisation: 0.6 }, { kvValueBytes: 1 }),
    })
    .map(({ name, kvHeads, kv, memory }) =>
      wishFor(name, { model: { ...models[name]!, kvHeads }, memory, leastKvCacheTokens: kv, tpotMs: 80 }),
    );

  it('has all layers once, uses each accelerator once, holds its cache, and is the same for any order of hosts', () => {
    fc.assert(
      fc.property(fleets, wishes, (hosts, wish) => {
        const across = pipelinesAcross(wish, hosts);
        expect(pipelinesAcross(wish, [...hosts].reverse())).toEqual(across);
        for (const { stages, kvCacheTokens } of [...across, ...hosts.flatMap((h) => pipelinesWithin(wish, h))]) {
          expect(stages.reduce((sum, s) => sum + s.layers, 0)).toBe(wish.model.layers);
          const used = stages.flatMap((s) => s.accelerators.map((a) => `${s.host}/${a}`));
          expect(new Set(used).size).toBe(used.length);
          for (const s of stages) {
            const { host } = hosts.find((h) => h.host.name === s.host)!;
            expect(s.accelerators.map((a) => host.accelerators[a])).toEqual(Array(s.tensorParallel).fill(s.acceleratorKind));
          }
          expect(kvCacheTokens).toBeGreaterThanOrEqual(wish.leastKvCacheTokens);
          expect(kvCacheTokens).toBe(
            pipelineKvCacheTokens(
              wish.model,
              stages.map((s) => ({ ...s, accelerator: acceleratorKind(s.acceleratorKind) })),
              wish.memory,
            ),
          );
        }
      }),
      { numRuns: 40, seed: 5 },
    );
  });
});
