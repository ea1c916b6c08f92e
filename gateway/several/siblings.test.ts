import { describe, expect, it } from 'vitest';
import type { GatewayStats } from '../accounts/views.ts';
import { type GatewayPart, mergedMetrics, mergedStats } from './siblings.ts';

const lastMinute = (requestsPerSecond: number, attainment: number | null) => ({ requestsPerSecond, outputTokensPerSecond: 10, attainment });

function stats(gatewayId: string, version: number, healthy: boolean, minute: ReturnType<typeof lastMinute>): GatewayStats {
  const counts = { requests: 5, ok: 4, failed: 1, shed: 0, cancelled: 0 };
  const deployment = {
    name: 'chat',
    model: 'm',
    simulated: false,
    routedReplicas: 1,
    healthyReplicas: healthy ? 1 : 0,
    inFlight: 2,
    queued: 3,
  };
  const replica = {
    id: 'r1',
    deployment: 'chat',
    revision: 1,
    host: 'h1',
    weight: 100,
    healthy,
    simulated: false,
    inFlight: 2,
    finished: 5,
    engine: null,
  };
  return {
    ...{ gatewayId, routingVersion: version, draining: false, uptimeSeconds: version, open: 5 },
    deployments: [{ ...deployment, policy: 'uellm', classes: [{ class: 'standard', ...counts, lastMinute: minute }] }],
    replicas: [replica],
  };
}

const part = (told: GatewayStats, metrics: GatewayPart['metrics'] = []): GatewayPart => ({ stats: told, metrics });

describe('gateways that share a port', () => {
  it('tell as one: counts together, attainment by requests, well where all find it so', () => {
    const merged = mergedStats([part(stats('b', 7, true, lastMinute(3, 1))), part(stats('a', 6, false, lastMinute(1, 0.6)))]);
    expect(merged).toMatchObject({ gatewayId: 'a,b', routingVersion: 6, uptimeSeconds: 7, open: 10 });
    expect(merged.deployments).toHaveLength(1);
    expect(merged.deployments[0]).toMatchObject({ name: 'chat', routedReplicas: 1, healthyReplicas: 0, inFlight: 4, queued: 6 });
    expect(merged.deployments[0]?.classes[0]).toMatchObject({
      requests: 10,
      ok: 8,
      failed: 2,
      lastMinute: { requestsPerSecond: 4, outputTokensPerSecond: 20 },
    });
    expect(merged.deployments[0]?.classes[0]?.lastMinute.attainment).toBeCloseTo(0.9);
    expect(merged.replicas).toMatchObject([{ id: 'r1', healthy: false, inFlight: 4, finished: 10 }]);
  });

  it('have no attainment where none of them has', () => {
    const merged = mergedStats([part(stats('a', 1, true, lastMinute(0, null))), part(stats('b', 1, true, lastMinute(1, null)))]);
    expect(merged.deployments[0]?.classes[0]?.lastMinute.attainment).toBeNull();
  });

  it('add up their counters, and take the least of what is not to be added', async () => {
    const metrics = (count: number, healthy: number): GatewayPart['metrics'] =>
      JSON.parse(
        JSON.stringify([
          {
            name: 'uellm_requests_total',
            help: 'h',
            type: 'counter',
            aggregator: 'sum',
            values: [{ value: count, labels: { outcome: 'ok' } }],
          },
          {
            name: 'uellm_replica_healthy',
            help: 'h',
            type: 'gauge',
            aggregator: 'min',
            values: [{ value: healthy, labels: { replica: 'r1' } }],
          },
        ]),
      );
    const one = stats('a', 1, true, lastMinute(0, null));
    const text = await mergedMetrics([part(one, metrics(2, 1)), part(one, metrics(3, 0))]);
    expect(text).toContain('uellm_requests_total{outcome="ok"} 5');
    expect(text).toContain('uellm_replica_healthy{replica="r1"} 0');
  });
});
