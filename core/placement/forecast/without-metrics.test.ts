/** What plans make of forecasts while metrics are missing. */
import { describe, expect, it } from 'vitest';
import { BUCKET_SECONDS, historyOf, recentOf } from '../../../test/support/arrivals.ts';
import { deployed, fleetOf, TestFleet } from '../../../test/support/placement.ts';
import { DEFAULT_DEMAND } from '../../domain/deployment.ts';
import { type ForecastInput, forecastDemand } from './forecast.ts';

const NOW = Date.UTC(2026, 4, 14, 12);
const BUSY = () => 40;

/** As many replicas as serve 40 requests a second, and then a rebalance by another forecast. */
function rebalanced(input: Partial<ForecastInput>, min: number): { placed: number; left: number } {
  const chat = deployed({ name: 'chat', model: 'llama-3.1-8b', replicas: { min, max: 12 }, demand: { requestsPerSecond: 40 } });
  const fleet = new TestFleet(fleetOf('a: 8 L40S', 'b: 8 L40S'), [chat]);
  fleet.run('deploy', 'chat');
  const placed = fleet.replicas.length;
  const { demand } = forecastDemand({
    declared: DEFAULT_DEMAND,
    recent: [],
    history: [],
    bucketSeconds: BUCKET_SECONDS,
    nowMs: NOW,
    ...input,
  });
  fleet.deployments = [{ ...chat, demand }];
  for (let i = 0; i < 5; i++) fleet.run('rebalance');
  return { placed, left: fleet.replicas.length };
}

describe('with metrics missing', () => {
  it.each([1, 2, 3])('at least %i replicas stay where as many are the minimum', (min) => {
    const { placed, left } = rebalanced({}, min);
    expect(placed).toBeGreaterThan(3);
    expect(left).toBe(min);
    // Known silence leaves as many.
    const silence = { recent: recentOf(() => 0, NOW), history: historyOf(() => 0, NOW, 7) };
    expect(rebalanced(silence, min).left).toBe(min);
  });

  it.each([1, 3])('what came on %i earlier days keeps its replicas', (days) => {
    const { placed, left } = rebalanced({ history: historyOf(BUSY, NOW, days) }, 1);
    expect(left).toBe(placed);
  });
});
