import { describe, expect, it } from 'vitest';
import type { ReplicaGauges } from '../../core/profiler/monitor/evidence.ts';
import { combineGauges } from './gauges.ts';

const gauges: ReplicaGauges = { stepTimeRatio: null, kvUsage: null, expectedKvUsage: 0, preemptions: 0, running: 0, waiting: 0 };
const lease = (of: Partial<ReplicaGauges>, inFlight = 1, secondsAgo = 0) => ({
  gauges: { r1: { ...gauges, ...of } },
  inFlight: { r1: inFlight },
  renewedAt: new Date(1e12 - secondsAgo * 1000),
});

describe('gauges of several gateways', () => {
  it('averages ratios by what each has open, sums what each reckons, and takes the newest word of the engine', () => {
    const combined = combineGauges(
      [
        lease({ stepTimeRatio: 4, kvUsage: 0.5, expectedKvUsage: 0.1, preemptions: 2, running: 7, waiting: 1 }, 3),
        lease({ stepTimeRatio: 1, kvUsage: 0.4, expectedKvUsage: 0.3, preemptions: 5, running: 5, waiting: 0 }, 1, 1),
      ],
      'r1',
    );
    expect(combined).toEqual({
      stepTimeFit: null,
      stepTimeRatio: expect.closeTo(4 ** 0.75, 9),
      kvUsage: 0.5,
      expectedKvUsage: expect.closeTo(0.4, 9),
      preemptions: 5,
      running: 7,
      waiting: 1,
    });
  });

  it('averages the coefficients that each of them sees, as it does ratios', () => {
    const seen = (d0: number) => ({ d0, d1: 0, d2: 1e-4, ra: 0.01, rc: 0.05, rb: 1e-6, o: 1 });
    const combined = combineGauges([lease({ stepTimeFit: seen(8) }, 3), lease({ stepTimeFit: seen(2) }), lease({}, 50)], 'r1');
    expect(combined.stepTimeFit).toEqual({
      ...seen(0),
      d0: expect.closeTo(2 * 4 ** 0.75, 9),
      d2: expect.closeTo(1e-4, 12),
      ra: expect.closeTo(0.01),
      rc: expect.closeTo(0.05),
      rb: expect.closeTo(1e-6, 12),
      o: 1,
    });
  });

  it('passes over a gateway that the engine does not answer, and one that measured nothing', () => {
    const combined = combineGauges([lease({ expectedKvUsage: 0.2 }, 9), lease({ stepTimeRatio: 2, kvUsage: 0, running: 3 }, 1, 1)], 'r1');
    expect(combined).toMatchObject({ stepTimeRatio: expect.closeTo(2, 9), kvUsage: 0, running: 3, expectedKvUsage: 0.2 });
  });

  it('knows nothing of a replica that no gateway tells of', () => {
    expect(combineGauges([lease({ kvUsage: 0.5 })], 'r2')).toMatchObject({ stepTimeRatio: null, kvUsage: null, expectedKvUsage: null });
    expect(combineGauges([], 'r1')).toMatchObject({ kvUsage: null, preemptions: 0 });
  });
});
