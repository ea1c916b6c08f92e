import { describe, expect, it } from 'vitest';
import { aRecordedRequest, presentFleet, steadyStretch } from '../../test/support/what-if.ts';
import { arrivedOf, countArrivals, giveUp, newReplayWatch } from './replay-watch.ts';
import { type WhatIfQuestion, whatIf } from './what-if.ts';
import { NO_CHANGE } from './what-if-change.ts';

const question = (parts: Partial<WhatIfQuestion> = {}): WhatIfQuestion => ({
  stretches: [steadyStretch({ requests: 600, perSecond: 16 })],
  observed: 600,
  present: presentFleet(),
  change: NO_CHANGE,
  ...parts,
});
const [chat] = presentFleet().policies;

describe('without a change', () => {
  it('before and after are one and the same, and stand beside what was observed', () => {
    const { deployments, policies, changes, counted, totals } = whatIf(question());
    expect([changes, counted, deployments.length, policies.length]).toEqual([[], 600, 1, 1]);
    expect(deployments[0]!.after).toEqual(deployments[0]!.before);
    expect(deployments[0]!.observed).toMatchObject({ requests: 600, attainment: 1, unserved: 0, ttftMs: { p50: 80, p90: 80, p99: 80 } });
    expect(totals.before).toMatchObject({ replicas: 2, usdPerHour: 5.9 });
    // 600 requests in 37.5 s.
    expect(totals.before.usdPerThousandRequests).toBeCloseTo((5.9 * 1000) / (16 * 3600), 6);
  });
});

describe('another policy', () => {
  it('whose targets are tighter is attained by fewer, at the same money', () => {
    const targets = { ttftMs: 500, tpotMs: 5, attainment: 0.9 };
    const { policies, totals, changes } = whatIf(question({ change: { ...NO_CHANGE, policies: [{ ...chat!, targets }] } }));
    const [policy] = policies;
    expect(policy!.before!.attainment).toBeGreaterThan(0.95);
    expect(policy!.after!.attainment).toBeLessThan(policy!.before!.attainment! - 0.2);
    expect(policy!.after!.targetAttainment).toBe(0.9);
    expect(policy!.after!.worthUsdPerHour).toBeLessThan(policy!.before!.worthUsdPerHour!);
    expect(totals.after.usdPerHour).toBe(totals.before.usdPerHour);
    expect(changes).toEqual(['SloPolicy chat: ~ targets.tpotMs: 50 -> 5', 'SloPolicy chat: ~ targets.attainment: 0.99 -> 0.9']);
  });

  it('takes the requests that it matches from the others', () => {
    const vip = { ...chat!, name: 'vip', match: { model: '*', tenant: 'acme', class: '*' } };
    const { policies, changes } = whatIf(question({ change: { ...NO_CHANGE, policies: [vip] } }));
    expect(changes).toEqual(['SloPolicy vip: new']);
    expect(policies.map((p) => [p.policy, p.observed?.requests, p.before?.requests, p.after?.requests])).toEqual([
      ['chat', 600, 600, 300],
      ['vip', undefined, undefined, 300],
    ]);
  });
});

it('says so of a policy that no request falls under', () => {
  const never = { ...chat!, name: 'never', match: { model: '*', tenant: 'nobody', class: '*' } };
  expect(whatIf(question({ change: { ...NO_CHANGE, policies: [never] } })).notes).toEqual([
    'no request falls under SloPolicy never: others match more exactly, or it matches none',
  ]);
});

describe('another mode', () => {
  // Twelve places for what comes; every fifth request is urgent, and what is not may be shed.
  const present = { ...presentFleet(), routed: presentFleet().routed.map((r) => ({ ...r, maxInFlight: 6 })) };
  const match = (name: string) => ({ model: '*', tenant: '*', class: name });
  const policies = [
    { ...chat!, name: 'urgent', match: match('urgent'), priority: 100, targets: { ttftMs: 1500, attainment: 0.9 } },
    { ...chat!, name: 'batch', match: match('batch'), priority: -1, queue: { maxWaitMs: 2000, onHopeless: 'shed' as const } },
  ];
  const { requests, ...times } = steadyStretch({ requests: 400, perSecond: 25 });
  const mixed = { ...times, requests: requests.map((r, i) => ({ ...r, class: i % 5 === 0 ? 'urgent' : 'batch' })) };
  const ask = (now: 'shadow' | 'auto', then: 'shadow' | 'auto') =>
    whatIf({
      ...{ stretches: [mixed], observed: 400, present: { ...present, policies, modes: { chat: now } } },
      change: { ...NO_CHANGE, modes: { chat: then } },
    });

  it('is how requests are scheduled: in shadow none goes before another, and none is shed', () => {
    const { policies: both, deployments, changes } = ask('shadow', 'auto');
    const urgent = both.find(({ policy }) => policy === 'urgent')!;
    expect(urgent.before!.attainment).toBeLessThan(0.5);
    expect(urgent.after!.attainment).toBeGreaterThan(0.9);
    expect([deployments[0]!.before.unserved, deployments[0]!.after.unserved > 0]).toEqual([0, true]);
    expect(changes).toEqual(['chat: mode shadow -> auto']);
  });

  it('is the same from either side, and the baseline is that of the present mode', () => {
    const [there, back] = [ask('shadow', 'auto'), ask('auto', 'shadow')];
    expect(back.policies.map((p) => [p.before, p.after])).toEqual(there.policies.map((p) => [p.after, p.before]));
    const { policies: kept } = ask('shadow', 'shadow');
    expect(kept.map((p) => p.after)).toEqual(there.policies.map((p) => p.before));
  });
});

describe('another fleet', () => {
  it('without a host lets requests wait longer, and costs less', () => {
    const busy = steadyStretch({ requests: 600, perSecond: 40 });
    const { deployments, totals, changes, notes } = whatIf(question({ stretches: [busy], change: { ...NO_CHANGE, removeHosts: ['h2'] } }));
    const [{ before, after }] = deployments as [(typeof deployments)[number]];
    expect(after.ttftMs!.p90).toBeGreaterThan(before.ttftMs!.p90 * 1.2);
    expect(after.waitMs!.p90).toBeGreaterThan(before.waitMs!.p90 + 100);
    expect(after.tpotMs!.p50).toBeGreaterThan(before.tpotMs!.p50);
    expect([after.replicas, totals.after.usdPerHour]).toEqual([1, 2.95]);
    expect(changes).toEqual(['host h2 removed, with 1 replica that served', 'chat: replicas 2 -> 1']);
    expect(notes).toEqual(['chat: no room for 1 more replica']);
  });

  it('without any replica serves nobody', () => {
    const { deployments, totals } = whatIf(question({ change: { ...NO_CHANGE, replicas: { chat: 0 } } }));
    expect(deployments[0]!.after).toMatchObject({
      attainment: 0,
      unserved: 600,
      ttftMs: null,
      usdPerHour: 0,
      usdPerThousandRequests: null,
    });
    expect(totals.after.replicas).toBe(0);
  });
});

describe('another price', () => {
  it('changes money, and nothing else', () => {
    const { deployments, policies, totals, changes } = whatIf(question({ change: { ...NO_CHANGE, prices: { 'H100-SXM': 1 } } }));
    const { usdPerHour: _, usdPerThousandRequests: __, ...before } = deployments[0]!.before;
    expect(deployments[0]!.after).toMatchObject(before);
    expect(policies[0]!.after).toEqual(policies[0]!.before);
    expect([totals.before.usdPerHour, totals.after.usdPerHour]).toEqual([5.9, 2]);
    expect(changes).toEqual(['H100-SXM: 2.95 -> 1 USD/h']);
  });
});

describe('a sample', () => {
  it('says so, and counts no request at the edges of its stretches', () => {
    const stretches = [0, 1_000_000].map((fromMs) => steadyStretch({ requests: 200, perSecond: 10, fromMs }));
    const { counted, replayed, notes, deployments } = whatIf(question({ stretches, observed: 5000 }));
    expect([counted, replayed, deployments[0]!.observed.requests]).toEqual([342, 400, 342]);
    expect(notes).toEqual([expect.stringMatching(/^a sample: 400 of 5000 requests, in 2 stretches .* first 10 % and last 5 % /)]);
  });

  it('of nothing is told', () => {
    const { notes, deployments, totals } = whatIf(question({ stretches: [], observed: 0 }));
    expect([notes.length, deployments, totals.before.usdPerThousandRequests]).toEqual([1, [], null]);
    expect(notes[0]).toMatch(/no request was observed/);
  });
});

it('replays cancelled requests without counting them, and leaves out what no replica serves', () => {
  const stretch = steadyStretch({ requests: 20, perSecond: 5 });
  const requests = [
    ...stretch.requests.slice(0, 18),
    aRecordedRequest({ acceptedAtMs: stretch.untilMs - 2, outcome: 'cancelled', outputTokens: null, predictedOutputP50: 40 }),
    aRecordedRequest({ acceptedAtMs: stretch.untilMs - 1, deployment: 'code' }),
  ];
  const { counted, replayed, notes, deployments } = whatIf(question({ stretches: [{ ...stretch, requests }], observed: 20 }));
  expect([counted, replayed, deployments.map((d) => d.deployment)]).toEqual([18, 19, ['chat']]);
  expect(notes).toEqual([
    '1 request had no answer of known length: replayed with the predicted one',
    'code has no replica that serves: 1 request left out',
  ]);
});

it('tells of every request that arrives in both replays, and ends where nobody waits any more', () => {
  const watch = newReplayWatch();
  whatIf(question(), countArrivals(watch));
  expect(arrivedOf(watch)).toBe(1200);
  giveUp(watch);
  expect(() => whatIf(question(), countArrivals(watch))).toThrow('nobody waits');
  expect(arrivedOf(watch)).toBe(1200);
});
