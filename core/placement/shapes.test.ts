import { describe, expect, it } from 'vitest';
import { type Deployed, deployed, fleetOf } from '../../test/support/placement.ts';
import type { LinkSpec } from '../domain/links.ts';
import { KNOWN_CONFIGS, modelShape } from '../domain/model-spec.ts';
import { openShapeBook } from './shapes.ts';

const models = Object.fromEntries(Object.entries(KNOWN_CONFIGS).map(([name, config]) => [name, modelShape(name, config, 'bf16')]));

function widthsOn(hostText: string, wish: Omit<Deployed, 'name'>, links: LinkSpec[] = []): number[] {
  const host = { ...fleetOf(hostText)[0]!, links };
  const book = openShapeBook({ models, stepTimes: [] });
  return book.shapesOn(deployed({ name: 'd', ...wish }), host).map((s) => s.tensorParallel);
}

describe('shapesOn', () => {
  it('takes every width that fits memory and the host', () => {
    expect(widthsOn('a: 4 H100-SXM', { model: 'llama-3.1-8b' })).toEqual([1, 2, 4]);
    expect(widthsOn('a: 8 H100-SXM', { model: 'llama-3.1-70b' })).toEqual([2, 4, 8]);
  });

  it('takes only the narrowest across PCIe, whichever way the link is known', () => {
    expect(widthsOn('a: 8 L40S', { model: 'llama-3.1-8b' })).toEqual([1]);
    expect(widthsOn('a: 8 L40S', { model: 'llama-3.1-70b' })).toEqual([4]);
    expect(widthsOn('a: 4 A100-80G-SXM', { model: 'llama-3.1-8b' }, [{ between: 'accelerators', kind: 'pcie' }])).toEqual([1]);
  });

  it('takes the width that the engine is told to use', () => {
    expect(widthsOn('a: 4 H100-SXM', { model: 'llama-3.1-8b', args: { 'tensor-parallel-size': 2 } })).toEqual([2]);
  });

  it('splits no model whose heads do not divide', () => {
    const shape = { ...models['llama-3.1-8b']!, attentionHeads: 6 };
    const book = openShapeBook({ models: { odd: shape }, stepTimes: [] });
    const shapes = book.shapesOn(deployed({ name: 'd', model: 'odd' }), fleetOf('a: 4 H100-SXM')[0]!);
    expect(shapes.map((s) => s.tensorParallel)).toEqual([1, 2]);
  });
});

describe('step times of a shape', () => {
  const host = fleetOf('a: 4 A100-80G-SXM')[0]!;
  const wish = deployed({ name: 'd', model: 'llama-3.1-8b' });
  const calibrated = {
    model: 'llama-3.1-8b',
    accelerator: 'A100-80G-SXM',
    tensorParallel: 1,
    source: 'calibrated' as const,
    coefficients: { d0: 40, d1: 0.1, d2: 1e-4, ra: 0.02, rc: 0.05, rb: 0, o: 1 },
  };

  it('come from the calibration of a live replica where there is one', () => {
    const prior = openShapeBook({ models, stepTimes: [] }).shape(wish, host, 'A100-80G-SXM', 1)!;
    const own = openShapeBook({ models, stepTimes: [calibrated] }).shape(wish, host, 'A100-80G-SXM', 1)!;
    expect([prior.stepTimeSource, own.stepTimeSource]).toEqual(['measured', 'calibrated']);
    expect(own.capacity.unloaded.tpotMs).toBeGreaterThan(3 * prior.capacity.unloaded.tpotMs);
  });

  it('are derived from the link where a fast kind sits behind a slow one', () => {
    const behindPcie = { ...host, links: [{ between: 'accelerators' as const, kind: 'pcie' as const }] };
    const book = openShapeBook({ models, stepTimes: [] });
    expect(book.shape(wish, behindPcie, 'A100-80G-SXM', 2)?.stepTimeSource).toBe('derived');
    expect(book.shape(wish, behindPcie, 'A100-80G-SXM', 1)?.stepTimeSource).toBe('measured');
  });
});
