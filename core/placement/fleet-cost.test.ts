import { describe, expect, it } from 'vitest';
import { deployed, fleetOf, TestFleet } from '../../test/support/placement.ts';
import type { Replica } from '../domain/replica.ts';
import { sloPolicySchema } from '../domain/slo-policy.ts';
import { type FleetCostInput, fleetCost, type PolicyTraffic } from './fleet-cost.ts';

const MODEL = 'llama-3.1-8b';

function replica(id: string, fields: Partial<Replica> = {}): Replica {
  return {
    ...{ id, model: MODEL, deployment: 'chat', revision: 1, host: 'h1', accelerators: [0], acceleratorKind: 'L40S', tensorParallel: 1 },
    ...{ engine: 'simulated', endpoint: null, state: 'ready', generation: 1, weight: 100, simulated: true, reason: '', ...fields },
  };
}

/** An hour of 3,600 requests of 1,000 tokens in and 100 out. */
function anHour(fields: Partial<PolicyTraffic> = {}): PolicyTraffic {
  return {
    ...{ deployment: 'chat', policy: 'interactive', requests: 3600, answered: 3600, inputTokens: 3.6e6, outputTokens: 3.6e5 },
    ...{ engineMs: 1000, judged: 3600, attained: 3600, ...fields },
  };
}

function costOf(fields: Partial<FleetCostInput>, hosts = fleetOf('h1: 4 L40S')) {
  const fleet = new TestFleet(hosts, [deployed({ name: 'chat', model: MODEL, demand: { requestsPerSecond: 1 } })]);
  fleet.prices = { byKind: { L40S: 2 }, byHost: {} };
  const given = { policies: [], traffic: [], windowSeconds: 3600, youngSeconds: {}, replicas: [replica('r1')] };
  return fleetCost({ ...fleet.input('rebalance'), ...given, ...fields });
}

describe('a deployment', () => {
  it('costs what its accelerators do, over what it answers', () => {
    const { deployments } = costOf({
      replicas: [replica('r1'), replica('r2', { accelerators: [1, 2], tensorParallel: 2 })],
      traffic: [anHour()],
    });
    expect(deployments).toMatchObject([
      { deployment: 'chat', simulated: true, replicas: 2, accelerators: [{ kind: 'L40S', count: 3 }], usdPerHour: 6, requestsPerSecond: 1 },
    ]);
    // 6 USD for 3,600 requests, 3.96 M tokens, 0.36 M of them output.
    expect(deployments[0]!.usdPerThousandRequests).toBeCloseTo(6 / 3.6, 9);
    expect(deployments[0]!.usdPerMillionTokens).toBeCloseTo(6 / 3.96, 9);
    expect(deployments[0]!.usdPerMillionOutputTokens).toBeCloseTo(6 / 0.36, 9);
  });

  it('is looked at since it costs anything', () => {
    const [young] = costOf({ traffic: [anHour()], youngSeconds: { chat: 1800 } }).deployments;
    expect(young).toMatchObject({ observedSeconds: 1800, requestsPerSecond: 2, usdPerThousandRequests: 2 / 7.2 });
  });

  it('is not cheaper for what it sheds', () => {
    const half = costOf({ traffic: [anHour({ answered: 1800 })] }).deployments[0]!;
    expect([half.requestsPerSecond, half.answeredPerSecond, half.usdPerThousandRequests]).toEqual([1, 0.5, 2 / 1.8]);
  });

  it('says which share of its capacity is asked for, of the replicas that serve', () => {
    const one = costOf({ traffic: [anHour()] }).deployments[0]!;
    const starting = costOf({ traffic: [anHour()], replicas: [replica('r1'), replica('r2', { accelerators: [1], state: 'starting' })] });
    const two = costOf({ traffic: [anHour()], replicas: [replica('r1'), replica('r2', { accelerators: [1] })] }).deployments[0]!;
    expect(one.utilisation).toBeCloseTo(1 / one.capacityRequestsPerSecond!, 9);
    expect(starting.deployments[0]).toMatchObject({ utilisation: one.utilisation, usdPerHour: 4 });
    expect(two.utilisation).toBeCloseTo(one.utilisation! / 2, 9);
  });

  it('has no price per request before it answers any', () => {
    expect(costOf({}).deployments[0]).toMatchObject({ usdPerHour: 2, requestsPerSecond: 0, utilisation: 0, usdPerThousandRequests: null });
  });

  it('is counted where nobody declared it: engines that somebody else runs', () => {
    const { deployments } = costOf({ replicas: [replica('x', { deployment: 'external/h1', simulated: false })] });
    expect(deployments.map((d) => [d.deployment, d.simulated, d.usdPerHour, d.utilisation])).toEqual([
      ['chat', false, 0, null],
      ['external/h1', false, 2, null],
    ]);
  });
});

describe('a policy', () => {
  const interactive = sloPolicySchema.parse({
    ...{ name: 'interactive', targets: { ttftMs: 500, attainment: 0.95 } },
    value: { usdPerRequest: 0.002, usdPerViolation: 0.01 },
  });

  it('has the share of its deployment that its time on engines is', () => {
    const { policies } = costOf({
      policies: [interactive],
      traffic: [
        anHour({ engineMs: 3000, attained: 3240 }),
        anHour({ policy: 'batch', engineMs: 1000, requests: 10, answered: 10, judged: 0, attained: 0 }),
        anHour({ policy: 'interactive', deployment: 'other', engineMs: 1e6 }),
      ],
    });
    expect(policies).toMatchObject([
      { policy: 'batch', share: 0.25, usdPerHour: 0.5, usdPerThousandRequests: 50, attainment: null, targetAttainment: null, value: null },
      { policy: 'interactive', share: 0.75, usdPerHour: 1.5, requests: 3600, attainment: 0.9, targetAttainment: 0.95 },
    ]);
  });

  it('is worth its answers less its violations', () => {
    const [policy] = costOf({ policies: [interactive], traffic: [anHour({ attained: 3500 })] }).policies;
    expect(policy!.value).toMatchObject({ usdPerRequest: 0.002, usdPerViolation: 0.01 });
    expect(policy!.value!.usdPerHour).toBeCloseTo(3600 * 0.002 - 100 * 0.01, 9);
  });

  it('has no money where no time was recorded', () => {
    expect(costOf({ traffic: [anHour({ engineMs: 0 })] }).policies).toMatchObject([{ share: null, usdPerHour: null }]);
  });
});

describe('the fleet', () => {
  it('adds up what is held and what idles', () => {
    const { totals, idle } = costOf({ traffic: [anHour()] });
    expect(totals).toMatchObject({
      held: { accelerators: 1, usdPerHour: 2 },
      idle: { accelerators: 3, usdPerHour: 6 },
      requestsPerSecond: 1,
      usdPerThousandRequests: 2 / 3.6,
    });
    expect(idle).toEqual([{ kind: 'L40S', count: 3, hosts: 1, usdPerHour: 6 }]);
  });

  it('counts hosts that take no work as idle, and external ones not at all', () => {
    const hosts = fleetOf('h1: 4 L40S', 'h2: 2 L40S', 'h3: 8 L40S');
    hosts[1]!.service = 'cordoned';
    hosts[2]!.external = true;
    expect(costOf({}, hosts).idle).toEqual([{ kind: 'L40S', count: 5, hosts: 2, usdPerHour: 10 }]);
  });

  it('names what has no price, and never counts it as nothing', () => {
    const hosts = fleetOf('h1: 2 L40S', ...['a', 'b', 'c', 'd', 'e'].map((name) => `${name}: 1 T4`));
    const t4 = { acceleratorKind: 'T4', host: 'a', deployment: 'code' };
    const { deployments, policies, totals, idle, refusals } = costOf(
      { replicas: [replica('r1'), replica('r2', t4)], traffic: [anHour(), anHour({ deployment: 'code' })] },
      hosts,
    );
    expect(deployments.map((d) => [d.deployment, d.usdPerHour, d.unpriced])).toEqual([
      ['chat', 2, []],
      ['code', null, ['T4']],
    ]);
    expect(policies.map((p) => p.usdPerHour)).toEqual([2, null]);
    expect(totals.held).toEqual({ accelerators: 2, usdPerHour: null, pricedUsdPerHour: 2 });
    expect(totals.idle).toEqual({ accelerators: 5, usdPerHour: null, pricedUsdPerHour: 2 });
    expect(totals.usdPerThousandRequests).toBeNull();
    expect(idle.map((i) => [i.kind, i.count, i.usdPerHour])).toEqual([
      ['L40S', 1, 2],
      ['T4', 4, null],
    ]);
    expect(refusals).toEqual([
      {
        kind: 'refused',
        on: 'price',
        subject: 'T4',
        message: '5 T4 of hosts a, b, c, d and 1 more have no price, neither in the catalog nor on the host',
        nearest: 'give usdPerHour for T4 on hosts a, b, c, d and 1 more',
      },
    ]);
  });

  it("takes a host's own price", () => {
    const { deployments } = costOf({ prices: { byKind: { L40S: 2 }, byHost: { h1: { L40S: 0.5 } } } });
    expect(deployments[0]!.usdPerHour).toBe(0.5);
  });

  it('costs nothing where there is nothing', () => {
    const { totals, refusals } = costOf({ replicas: [] }, []);
    expect([totals.held.usdPerHour, totals.idle.usdPerHour, totals.usdPerThousandRequests, refusals]).toEqual([0, 0, null, []]);
  });
});
