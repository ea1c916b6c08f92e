import { describe, expect, it } from 'vitest';
import { queuedRequest, releaseAll, replicaView, schedulerOf } from '../../../test/support/scheduling.ts';
import { collectBatches, staticView } from '../../../test/support/static-batching.ts';
import type { QueuedRequest, SchedulerPolicy } from '../types.ts';
import { batchCost, odbs, SLO_ODBS_DEFAULTS, sloDbs, sloOdbs } from './slo-odbs.ts';

const request = (id: string, e2eMs: number, output: number) =>
  queuedRequest({ id, targets: { e2eMs }, predictedOutput: { p50: output, p90: output }, inputTokens: 1 });
const many = (count: number, e2eMs: number, output: number): QueuedRequest[] =>
  Array.from({ length: count }, (_, i) => request(`q${i}`, e2eMs, output));
const wide = (open: QueuedRequest[] = []) => replicaView({ id: 'a', maxInFlight: 1000, kvCacheTokens: 1e9, open });
const released = (queue: QueuedRequest[], policy: SchedulerPolicy = sloOdbs, open: QueuedRequest[] = []) =>
  releaseAll(schedulerOf(policy, queue), [wide(open)]);

describe('slo-odbs where engines batch continuously', () => {
  it('orders by ascending SLO when all arrive together', () => {
    const queue = [
      queuedRequest({ id: 'long', targets: { e2eMs: 60_000 } }),
      queuedRequest({ id: 'short', targets: { e2eMs: 5000 } }),
      queuedRequest({ id: 'middle', targets: { ttftMs: 500, tpotMs: 100 } }),
    ];
    expect(released(queue).map((a) => a.request.id)).toEqual(['short', 'middle', 'long']);
  });
  it('closes the reference batch at its size, and batches of longer requests sooner', () => {
    expect(released(many(300, 20_000, 256))).toHaveLength(128);
    expect(released(many(300, 20_000, 1024))).toHaveLength(80);
    expect(released(many(300, 80_000, 1024))).toHaveLength(64);
    expect(released(many(300, 5000, 64))).toHaveLength(256);
  });
  it('always admits a first request', () => {
    expect(released(many(1, 86_400_000, 1e6))).toHaveLength(1);
  });
  it('counts what runs on the replica already', () => {
    const running = many(127, 20_000, 256).map((r) => ({ ...r, id: `running-${r.id}` }));
    expect(released(many(5, 20_000, 256), sloOdbs, running)).toHaveLength(1);
  });
  it('computes the two terms as the paper writes them', () => {
    const { w1, w2, l1, l2 } = SLO_ODBS_DEFAULTS;
    const tL = (10_000 + 30_000 + 2 * 30_000) * 2 * l1;
    const tO = (100 + 300 + 2 * 300) * 2 * l2;
    expect(batchCost(wide([request('r', 10_000, 100)]), request('x', 30_000, 300), SLO_ODBS_DEFAULTS)).toBeCloseTo(w1 * tL + w2 * tO, 12);
  });
  it('with one weight at zero it is the paper’s SLO-DBS or ODBS', () => {
    expect(released(many(300, 20_000, 1e6), sloDbs)).toHaveLength(128);
    expect(released(many(300, 86_400_000, 256), odbs)).toHaveLength(128);
  });
});

describe('in static batches', () => {
  const mixed = [request('a', 100_000, 300), request('b', 110_000, 20), request('c', 90_000, 500), request('d', 200_000, 10)];
  it.each([
    ['slo-odbs: SLO seconds and half the tokens', sloOdbs, ['b', 'd', 'a', 'c']],
    ['slo-dbs: the SLO', sloDbs, ['c', 'a', 'b', 'd']],
    ['odbs: the length', odbs, ['d', 'b', 'a', 'c']],
  ])('the order is that of the paper’s code, %s', (_, policy, expected) => {
    const batches = collectBatches(schedulerOf(policy, mixed), [staticView({ id: 'a', maxInFlight: 2 })]);
    expect(batches.map((batch) => batch.map(({ id }) => id))).toEqual([expected.slice(0, 2), expected.slice(2)]);
  });
  it.each([
    ['the paper’s loosest SLO and longest answers fill a batch', 300_000, 1024, 10],
    ['longer answers close it sooner', 300_000, 4096, 6],
    ['looser SLOs close it sooner', 1_200_000, 1024, 6],
  ])('%s', (_, e2eMs, output, size) => {
    const [first] = collectBatches(schedulerOf(sloOdbs, many(30, e2eMs, output)), [staticView({ id: 'a', kvCacheTokens: 1e9 })]);
    expect(first).toHaveLength(size);
  });
  it('a closed batch takes no later request, though it would fit', () => {
    const queue = [...many(5, 300_000, 100), request('long', 301_000, 20_000), request('short', 400_000 * 1000, 1)];
    const [first] = collectBatches(schedulerOf(sloDbs, queue), [staticView({ id: 'a', kvCacheTokens: 1e9 })]);
    expect(first!.map(({ id }) => id)).not.toContain('short');
  });
});
