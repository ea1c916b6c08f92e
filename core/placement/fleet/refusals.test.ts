/** Why a deployment is not served, and that what is named as nearest really would do: planned again with it, it is. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { fleetInput, presentReplica } from '../../../test/support/fleet-planning.ts';
import { type Deployed, deployed } from '../../../test/support/placement.ts';
import { relaxed, waysOf } from '../../../test/support/relaxed.ts';
import type { Refusal } from '../../domain/refusal.ts';
import type { DeploymentDemand } from '../types.ts';
import { type FleetPlan, planFleet } from './fleet-plan.ts';
import { loadHighsSolver } from './highs.ts';
import type { FleetInput } from './problem.ts';

const solver = await loadHighsSolver();
const plan = (input: FleetInput, relaxes = true) => planFleet(input, solver, { exact: true, ...(relaxes ? { relax: 300 } : {}) });
const refusalOf = (input: FleetInput): Refusal => {
  const { refusals } = plan(input);
  expect(refusals).toHaveLength(1);
  return refusals[0]!;
};

/** Each way that the refusal names does, by itself. */
function expectTrue(input: FleetInput, { subject, nearest }: Refusal): void {
  for (const way of waysOf(nearest!)) expect(plan(relaxed(input, subject, way), false).refusals, way).toEqual([]);
}

function asked({
  antiAffinity,
  requestsPerSecond = 1,
  ...rest
}: Partial<Deployed> & { antiAffinity?: string[]; requestsPerSecond?: number }) {
  const { spec, ...wish } = deployed({
    ...{ name: 'd', model: 'llama-3.1-8b', replicas: { min: 0, max: 100 }, targets: { tpotMs: 100, attainment: 0.9 } },
    ...{ demand: { requestsPerSecond }, ...rest },
  });
  return { ...wish, spec: { ...spec, placement: { ...spec.placement, ...(antiAffinity ? { antiAffinity } : {}) } } };
}

describe('a refusal', () => {
  it('of memory names accelerators that would hold the model: of the kinds there are, where those do', () => {
    const big = asked({ model: 'llama-3.1-70b', requestsPerSecond: 0.1, targets: null });
    const input = fleetInput(['a: 1 H100-SXM', 'b: 1 H100-SXM'], [big]);
    const refusal = refusalOf(input);
    expect(refusal).toMatchObject({ kind: 'refused', on: 'memory', subject: 'd', nearest: 'fits with 1 more H100-SXM on host a' });
    expect(refusal.message).toMatch(/^131 GiB of weights and a KV cache of \d+ tokens fit the accelerators of no host$/);
    expectTrue(input, refusal);
    const hopeless = fleetInput(['a: 8 T4'], [asked({ model: 'qwen3-235b-a22b', targets: null })]);
    const unknown = refusalOf(hopeless);
    expect(unknown).toMatchObject({ on: 'memory', nearest: expect.stringContaining(', which no host has') });
    expectTrue(hopeless, unknown);
  });

  it.each([
    ['hosts', { hosts: ['b'] }, 'hosts b'],
    ['accelerators', { accelerators: ['T4'] }, 'accelerators T4'],
  ])('of placement names a place that the %s list shuts out', (_, placement, told) => {
    const prices = { byKind: { 'H100-SXM': 3, T4: 0.4 }, byHost: {} };
    const input = { ...fleetInput(['a: 2 H100-SXM', 'b: 1 T4'], [asked({ placement })]), prices };
    const refusal = refusalOf(input);
    expect(refusal).toEqual({
      ...{ kind: 'refused', on: 'placement', subject: 'd' },
      message: `it fits none of what its placement allows: ${told}`,
      nearest: 'fits on 1 H100-SXM of host a',
    });
    expectTrue(input, refusal);
  });

  it.each([
    ['TPOT', { tpotMs: 2, attainment: 0.9 }],
    ['TTFT', { ttftMs: 5, tpotMs: 100, attainment: 0.9 }],
    ['end to end', { e2eMs: 500, attainment: 0.9 }],
  ] as const)('of an SLO names the least %s at which all of it is served', (name, targets) => {
    const input = fleetInput(['a: 2 H100-SXM', 'b: 4 L40S'], [asked({ targets, requestsPerSecond: 20 })]);
    const refusal = refusalOf(input);
    expect(refusal).toMatchObject({ kind: 'refused', on: 'slo', nearest: expect.stringMatching(`^fits at ${name} [\\d.]+ ms$`) });
    expectTrue(input, refusal);
    const less = refusal.nearest!.replace(/[\d.]+/, (ms) => String(Number(ms) * 0.95));
    expect(plan(relaxed(input, 'd', waysOf(less)[0]!), false).refusals).toHaveLength(1);
  });

  it('of an SLO that no fleet of this size attains names more accelerators, and fewer at a looser target', () => {
    const input = fleetInput(['a: 2 H100-SXM'], [asked({ targets: { tpotMs: 4, attainment: 0.9 }, requestsPerSecond: 60 })]);
    const refusal = refusalOf(input);
    expect(refusal.nearest).toMatch(
      /^fits with \d+ more H100-SXM, \d to a host at least, or with \d more H100-SXM on host a at TPOT [\d.]+ ms$/,
    );
    expectTrue(input, refusal);
  });

  it('of lengths names prompts that fit the context, and can be served', () => {
    const demand = { requestsPerSecond: 1, inputTokens: 200_000, outputTokens: 200 };
    const wish = asked({ targets: { ttftMs: 2000, attainment: 0.9 } });
    const input = fleetInput(['a: 2 H100-SXM'], [{ ...wish, demand, spec: { ...wish.spec, demand } }]);
    const refusal = refusalOf(input);
    expect(refusal).toMatchObject({
      ...{ kind: 'refused', on: 'context' },
      message: 'a mean request of 200000 input and 200 output tokens is longer than the context of 131072 tokens',
    });
    expectTrue(input, refusal);
    const [, tokens] = /^fits at (\d+) input tokens$/.exec(refusal.nearest!)!;
    expect(plan(relaxed(input, 'd', `at ${Math.ceil(Number(tokens) * 1.05)} input tokens`), false).refusals).toHaveLength(1);
  });

  it('of a price names the kind to give one', () => {
    const unpriced = { ...fleetInput(['a: 2 H100-SXM'], [asked({})]), prices: { byKind: {}, byHost: {} } };
    expect(refusalOf(unpriced)).toEqual({
      ...{ kind: 'refused', on: 'price', subject: 'd' },
      message: 'it fits H100-SXM, which has no price, neither in the catalog nor on the host',
      nearest: 'give usdPerHour for H100-SXM',
    });
    expect(plan({ ...unpriced, prices: { byKind: {}, byHost: { a: { 'H100-SXM': 2 } } } }).refusals).toEqual([]);
  });

  it('says that nothing is left, or that no host takes work', () => {
    const other = asked({ name: 'other' });
    const held = presentReplica('x', { deployment: other, host: 'a', accelerators: [0, 1], kind: 'H100-SXM' });
    const full = fleetInput(['a: 2 H100-SXM'], [asked({})], [held]);
    const refusal = refusalOf(full);
    expect(refusal).toEqual({
      ...{ kind: 'waiting', on: 'accelerators', subject: 'd' },
      ...{ message: 'no accelerators are left that it fits', nearest: 'fits with 1 more H100-SXM' },
    });
    expectTrue(full, refusal);
    const closed = fleetInput(['a: 2 H100-SXM'], [asked({})]);
    closed.hosts[0]!.service = 'cordoned';
    expect(refusalOf(closed)).toMatchObject({
      ...{ kind: 'waiting', on: 'accelerators', message: 'no host that it fits takes new work' },
      nearest: 'fits once host a takes new work: it is alive and cordoned',
    });
    expectTrue(closed, refusalOf(closed));
  });

  it('of accelerators says what is served, and what would do: no more of them than it takes', () => {
    const input = fleetInput(['a: 2 L40S', 'b: 1 L40S'], [asked({ requestsPerSecond: 40 })]);
    const refusal = refusalOf(input);
    expect(refusal).toMatchObject({ kind: 'waiting', on: 'accelerators', subject: 'd' });
    expect(refusal.message).toMatch(/^3 replicas can serve [\d.]+ of 40.0 req\/s; no accelerators are left that it fits$/);
    expectTrue(input, refusal);
    const fewer = waysOf(refusal.nearest!)[0]!.replace(/\d+/, (count) => String(Number(count) - 1));
    expect(plan(relaxed(input, 'd', fewer), false).refusals).toHaveLength(1);
  });

  it('finds that one more accelerator makes a wider replica', () => {
    const wish = asked({ model: 'llama-3.1-70b', requestsPerSecond: 2, targets: { ttftMs: 3000, tpotMs: 66, attainment: 0.9 } });
    const input = fleetInput(['a: 3 A100-80G-SXM'], [wish]);
    const refusal = refusalOf(input);
    expect(waysOf(refusal.nearest!)).toContain('with 1 more A100-80G-SXM on host a');
    expectTrue(input, refusal);
  });

  it('of a minimum counts replicas', () => {
    const input = fleetInput(['a: 1 L40S', 'b: 1 L40S'], [asked({ requestsPerSecond: 0, replicas: { min: 4, max: 9 } })]);
    const refusal = refusalOf(input);
    expect(refusal).toMatchObject({ on: 'accelerators', message: '2 of 4 replicas are placed; no accelerators are left that it fits' });
    expect(refusal.nearest).toBe('fits with 2 more L40S');
    expectTrue(input, refusal);
  });

  it('of a maximum names the least that would do, where there is room, even if other shapes are to be taken for it', () => {
    const wanted = (max: number) =>
      asked({ requestsPerSecond: 40, replicas: { min: 0, max }, targets: { ttftMs: 500, tpotMs: 50, attainment: 0.9 } });
    const input = fleetInput(['a: 2 H100-SXM', 'b: 1 L40S'], [wanted(1)]);
    const refusal = refusalOf(input);
    expect(refusal).toMatchObject({ kind: 'refused', on: 'replicas', nearest: 'fits with replicas.max 2' });
    expect(refusal.message).toMatch(/^1 replica can serve [\d.]+ of 40.0 req\/s; no more than 1 replica may be$/);
    expectTrue(input, refusal);
  });

  it('names accelerators and a maximum where both are in the way', () => {
    const input = fleetInput(['a: 2 L40S'], [asked({ requestsPerSecond: 20, replicas: { min: 0, max: 2 }, targets: null })]);
    const refusal = refusalOf(input);
    expect(refusal.nearest).toMatch(/more L40S.*, and replicas.max \d+$/);
    expectTrue(input, refusal);
  });

  it('of antiAffinity says so, and counts hosts', () => {
    const input = fleetInput(['a: 9 H100-SXM'], [asked({ name: 'c', antiAffinity: ['d'] }), asked({ name: 'd' })]);
    const refusal = refusalOf(input);
    expect(refusal).toMatchObject({
      kind: 'refused',
      on: 'placement',
      nearest: 'fits without antiAffinity, or with 1 more H100-SXM, on 1 other host',
    });
    expectTrue(input, refusal);
    const alone = asked({ replicas: { min: 4, max: 9 }, antiAffinity: ['d'] });
    const three = fleetInput(['a: 3 L40S', 'b: 2 L40S', 'c: 2 H100-SXM'], [alone]);
    expect(refusalOf(three)).toMatchObject({ on: 'placement', nearest: 'fits without antiAffinity, or with 1 more L40S, on 1 other host' });
    expectTrue(three, refusalOf(three));
  });

  it('of what would hardly be served says so, and leaves the accelerators alone', () => {
    const wish = asked({ model: 'llama-3.1-70b', requestsPerSecond: 2, targets: { ttftMs: 3000, tpotMs: 60, attainment: 0.9 } });
    const input = fleetInput(['a: 8 L40S', 'b: 8 L40S'], [wish]);
    const { replicas, refusals, unmetPerSecond } = plan(input);
    expect([replicas, unmetPerSecond]).toEqual([[], 2]);
    expect(refusals[0]!.message).toMatch(/^16 accelerators would serve 0\.000\d+ of 2\.0 req\/s, too little to be worth them$/);
    expectTrue(input, refusals[0]!);
  });

  it('is there for every deployment that is short, and for no other', () => {
    const input = fleetInput(['a: 2 L40S'], [asked({ name: 'x', requestsPerSecond: 30 }), asked({ name: 'y', requestsPerSecond: 0 })]);
    expect(plan(input).refusals.map((r) => r.subject)).toEqual(['x']);
  });
});

describe('what a refusal names', { timeout: 120_000 }, () => {
  const host = fc.tuple(fc.constantFrom('H100-SXM', 'A100-80G-SXM', 'L40S', 'A6000'), fc.constantFrom(1, 2, 3, 4));
  const wish = fc.record({
    model: fc.constantFrom('llama-3.1-8b', 'qwen3-32b', 'llama-3.1-70b'),
    requestsPerSecond: fc.oneof(fc.constant(0), fc.double({ min: 0.01, max: 60, noNaN: true })),
    replicas: fc.tuple(fc.nat(3), fc.nat(3)).map(([min, more]) => ({ min, max: min + more + 1 })),
    targets: fc.constantFrom({ tpotMs: 4 }, { tpotMs: 40, ttftMs: 400 }, { e2eMs: 2000 }, { tpotMs: 150 }),
    antiAffinity: fc.constantFrom<string[][]>([], [], ['d0'], ['d1']),
  });
  const fleets = fc
    .tuple(fc.array(host, { minLength: 1, maxLength: 4 }), fc.array(wish, { minLength: 1, maxLength: 2 }))
    .map(([hosts, wishes]) =>
      fleetInput(
        hosts.map(([kind, count], i) => `h${i}: ${count} ${kind}`),
        wishes.map(({ targets, antiAffinity, ...w }, i) =>
          asked({ ...w, name: `d${i}`, targets: { ...targets, attainment: 0.9 }, ...(antiAffinity.length > 0 ? { antiAffinity } : {}) }),
        ),
      ),
    );

  /** The others ask for no more than they get: what is named is true while they stand as they are planned. */
  function asPlanned(input: FleetInput, { replicas }: FleetPlan, subject: string): FleetInput {
    const met = (d: DeploymentDemand): DeploymentDemand => {
      const own = replicas.filter((r) => r.deployment === d.spec.name);
      const served = own.reduce((sum, r) => sum + r.shape.capacity.requestsPerSecond, 0);
      const { spec, demand } = d;
      return {
        ...d,
        demand: { ...demand, requestsPerSecond: Math.min(demand.requestsPerSecond, served * (1 - 1e-9)) },
        spec: { ...spec, replicas: { ...spec.replicas, min: Math.min(spec.replicas.min, own.length) } },
      };
    };
    return { ...input, deployments: input.deployments.map((d) => (d.spec.name === subject ? d : met(d))) };
  }

  it('does: with it, the deployment is served', () => {
    fc.assert(
      fc.property(fleets, (input) => {
        const first = plan(input);
        for (const { subject, nearest } of first.refusals) {
          if (nearest === undefined) continue;
          for (const way of waysOf(nearest)) {
            const again = plan(relaxed(asPlanned(input, first, subject), subject, way), false);
            expect(again.refusals, `${subject} ${way}`).toEqual([]);
          }
        }
      }),
      { numRuns: 12, seed: 11, endOnFailure: true },
    );
  });
});
