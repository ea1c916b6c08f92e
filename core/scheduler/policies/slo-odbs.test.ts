import { describe, expect, it } from 'vitest';
import { queuedRequest, replicaView } from '../../../test/support/scheduling.ts';
import { openRound } from '../round.ts';
import type { QueuedRequest } from '../types.ts';
import { batchCost, createSloOdbs, SLO_ODBS_DEFAULTS, sloOdbs } from './slo-odbs.ts';

const many = (count: number, e2eMs: number, output: number): Set<QueuedRequest> =>
  new Set(
    Array.from({ length: count }, (_, i) =>
      queuedRequest({ id: `q${i}`, targets: { e2eMs }, predictedOutput: { p50: output, p90: output }, inputTokens: 1 }),
    ),
  );
const wide = replicaView({ id: 'a', maxInFlight: 1000, kvCacheTokens: 1e9 });
const released = (queue: Set<QueuedRequest>) => sloOdbs.schedule(queue, [wide], 0, new Map()).length;

describe('slo-odbs', () => {
  it('orders by ascending SLO when all arrive together', () => {
    const queue = new Set([
      queuedRequest({ id: 'long', targets: { e2eMs: 60_000 } }),
      queuedRequest({ id: 'short', targets: { e2eMs: 5000 } }),
      queuedRequest({ id: 'middle', targets: { ttftMs: 500, tpotMs: 100 } }),
    ]);
    const order = sloOdbs.schedule(queue, [wide], 0, new Map()).map((a) => a.request.id);
    expect(order).toEqual(['short', 'middle', 'long']);
  });

  it('closes the reference batch at its size, and batches of longer requests sooner', () => {
    expect(released(many(300, 20_000, 256))).toBe(128);
    expect(released(many(300, 20_000, 1024))).toBe(80);
    expect(released(many(300, 80_000, 1024))).toBe(64);
    expect(released(many(300, 5000, 64))).toBe(256);
  });

  it('always admits a first request', () => {
    expect(released(many(1, 86_400_000, 1e6))).toBe(1);
  });

  it('counts what runs on the replica already', () => {
    const busy = { ...wide, running: many(127, 20_000, 256) };
    expect(sloOdbs.schedule(many(5, 20_000, 256), [busy], 0, new Map())).toHaveLength(1);
  });

  it('computes the two terms as the paper writes them', () => {
    const { w1, w2, l1, l2 } = SLO_ODBS_DEFAULTS;
    const [slot] = openRound([{ ...wide, running: many(1, 10_000, 100) }]).slots;
    const candidate = queuedRequest({ id: 'x', targets: { e2eMs: 30_000 }, predictedOutput: { p50: 300, p90: 300 } });
    const tL = (10_000 + 500 + 30_000 - 500 + 2 * 30_000) * 2 * l1;
    const tO = (100 + 300 + 2 * 300) * 2 * l2;
    expect(batchCost(slot!, candidate, SLO_ODBS_DEFAULTS)).toBeCloseTo(w1 * tL + w2 * tO, 12);
  });

  it('with one weight at zero it is the paper’s SLO-DBS or ODBS', () => {
    const dbs = createSloOdbs({ ...SLO_ODBS_DEFAULTS, w1: 1, w2: 0 });
    expect(dbs.schedule(many(300, 20_000, 1e6), [wide], 0, new Map())).toHaveLength(128);
  });
});
