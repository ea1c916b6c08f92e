import { describe, expect, it } from 'vitest';
import { combineGauges } from './gauges.ts';

const gauges = { stepTimeRatio: null, kvUsage: null, expectedKvUsage: 0, preemptions: 0, running: 0, waiting: 0 };
const lease = (of: Partial<typeof gauges> | { [name: string]: number | null }, inFlight = 1, secondsAgo = 0) => ({
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
      stepTimeRatio: expect.closeTo(4 ** 0.75, 9),
      kvUsage: 0.5,
      expectedKvUsage: expect.closeTo(0.4, 9),
      preemptions: 5,
      running: 7,
      waiting: 1,
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
