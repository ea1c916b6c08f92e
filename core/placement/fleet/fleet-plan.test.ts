/** What holds for every plan of every fleet. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { carriedOut, fleetInput, presentReplica } from '../../../test/support/fleet-planning.ts';
import { deployed, fleetOf } from '../../../test/support/placement.ts';
import { acceleratorKind } from '../../domain/accelerators.ts';
import { kvCacheTokens } from '../../domain/memory.ts';
import { type FleetPlan, planFleet } from './fleet-plan.ts';
import { loadHighsSolver } from './highs.ts';
import { movePricePerHour } from './move-cost.ts';
import type { FleetInput } from './problem.ts';

const solver = await loadHighsSolver();
const EXACT = { exact: true };
const RUNS = { numRuns: 15, seed: 3 };
const TIMEOUT_MS = 60_000;

const KINDS = ['H100-SXM', 'A100-80G-SXM', 'L40S', 'A6000'] as const;
const host = fc.tuple(fc.constantFrom(...KINDS), fc.constantFrom(1, 2, 3, 4, 8));
const wish = fc.record({
  model: fc.constantFrom('llama-3.1-8b', 'llama-3.1-8b', 'qwen3-32b', 'llama-3.1-70b'),
  requestsPerSecond: fc.oneof(fc.constant(0), fc.double({ min: 0.01, max: 25, noNaN: true })),
  min: fc.nat(2),
  tpotMs: fc.constantFrom(25, 60, 150),
  spread: fc.constantFrom('host' as const, 'none' as const),
  kinds: fc.constantFrom<string[]>([], [], ['H100-SXM', 'L40S']),
});
const fleets = fc
  .tuple(fc.array(host, { minLength: 1, maxLength: 5 }), fc.array(wish, { minLength: 1, maxLength: 3 }))
  .map(([hosts, wishes]) =>
    fleetInput(
      hosts.map(([kind, count], i) => `h${i}: ${count} ${kind}`),
      wishes.map(({ model, requestsPerSecond, min, tpotMs, spread, kinds }, i) =>
        deployed({
          ...{ name: `d${i}`, model, replicas: { min, max: 40 }, demand: { requestsPerSecond } },
          ...{ targets: { tpotMs, attainment: 0.9 }, placement: { spread, accelerators: kinds } },
        }),
      ),
    ),
  );

const near = (usd: number) => usd * (1 + 1e-6) + 1e-6;
/** As text, that order and rounding apart. */
const told = ({ replicas, usdPerHour, refusals }: FleetPlan) => [
  ...replicas.map((r) => `${r.deployment} ${r.host} [${r.accelerators.join(' ')}]`),
  usdPerHour.toFixed(6),
  ...refusals.map((r) => r.message),
];

function expectSound({ hosts, models, deployments }: FleetInput, { replicas, ...plan }: FleetPlan): void {
  const used = new Set<string>();
  for (const { host: name, model, accelerators, shape } of replicas) {
    const kinds = accelerators.map((index) => hosts.find((h) => h.name === name)!.accelerators[index]);
    expect(new Set(kinds)).toEqual(new Set([shape.acceleratorKind]));
    expect(kvCacheTokens(models[model]!, acceleratorKind(shape.acceleratorKind), accelerators.length)).toBeGreaterThan(0);
    for (const index of accelerators) {
      expect(used.has(`${name}/${index}`)).toBe(false);
      used.add(`${name}/${index}`);
    }
  }
  for (const { spec, demand } of deployments) {
    const own = replicas.filter((r) => r.deployment === spec.name);
    const served = own.reduce((sum, r) => sum + r.shape.capacity.requestsPerSecond, 0);
    const enough = served >= demand.requestsPerSecond * (1 - 1e-6) && own.length >= spec.replicas.min;
    expect(enough).toBe(!plan.refusals.some((r) => r.subject === spec.name));
    expect(own.length).toBeLessThanOrEqual(spec.replicas.max);
    expect(own.every((r) => r.shape.capacity.meetsSlo)).toBe(true);
  }
  expect(plan.lowerBoundUsdPerHour).toBeLessThanOrEqual(near(plan.usdPerHour));
  expect(plan.lowerBoundUnmetPerSecond).toBeLessThanOrEqual(near(plan.unmetPerSecond));
}

describe('every plan', { timeout: TIMEOUT_MS }, () => {
  it('uses each accelerator once, within its memory, serves what it says, and costs no less than its bound', () => {
    fc.assert(
      fc.property(fleets, fc.boolean(), (input, exact) => {
        expectSound(input, planFleet(input, solver, { exact }));
      }),
      RUNS,
    );
  });

  it('is the same for the same input, whatever the order of its lists', () => {
    fc.assert(
      fc.property(fleets, (input) => {
        const shuffled = { ...input, hosts: [...input.hosts].reverse(), deployments: [...input.deployments].reverse() };
        expect(told(planFleet(shuffled, solver))).toEqual(told(planFleet(input, solver)));
        const there = carriedOut(planFleet(input, solver), input);
        const moved = { ...input, deployments: input.deployments.map((d) => ({ ...d, demand: { ...d.demand, requestsPerSecond: 3 } })) };
        const again = (replicas: FleetInput['replicas']) => told(planFleet({ ...moved, replicas }, solver, { priceMoves: true }));
        expect(again([...there].reverse())).toEqual(again(there));
      }),
      RUNS,
    );
  });

  it.each([
    ['host', (input: FleetInput, [kind, count]: readonly [string, number]) => [...input.hosts, ...fleetOf(`more: ${count} ${kind}`)]],
    [
      'accelerator of a host',
      ({ hosts: [first, ...rest] }: FleetInput) => [
        { ...first!, accelerators: [...first!.accelerators, first!.accelerators[0]!] },
        ...rest,
      ],
    ],
  ] as const)('never costs more, nor leaves more unmet, for one %s more', (_, grown) => {
    fc.assert(
      fc.property(fleets, host, (input, added) => {
        const before = planFleet(input, solver, EXACT);
        const after = planFleet({ ...input, hosts: grown(input, added) }, solver, EXACT);
        expect(after.unmetPerSecond).toBeLessThanOrEqual(near(before.unmetPerSecond));
        if (before.refusals.length === 0) {
          expect(after.refusals).toEqual([]);
          expect(after.usdPerHour).toBeLessThanOrEqual(near(before.usdPerHour));
        }
      }),
      RUNS,
    );
  });

  it('moves nothing when it is made again of what it came to', () => {
    fc.assert(
      fc.property(fleets, fc.boolean(), (input, exact) => {
        const first = planFleet(input, solver, { exact });
        const there = carriedOut(first, input);
        const again = planFleet({ ...input, replicas: there }, solver, { exact, priceMoves: true });
        expect(again.replicas.map((r) => r.presentId).sort()).toEqual(there.map((r) => r.id).sort());
        expect(again.usdPerHour).toBeCloseTo(first.usdPerHour, 6);
        expect(again.lowerBoundUsdPerHour).toBeLessThanOrEqual(near(again.usdPerHour));
      }),
      RUNS,
    );
  });

  it('brings up no more than it may, and nothing on what leaves', () => {
    fc.assert(
      fc.property(fleets, fc.double({ min: 0.3, max: 4, noNaN: true }), fc.nat(3), (input, change, mostMoves) => {
        const there = carriedOut(planFleet(input, solver), input);
        const deployments = input.deployments.map((d) => ({
          ...d,
          demand: { ...d.demand, requestsPerSecond: d.demand.requestsPerSecond * change },
        }));
        const plan = planFleet({ ...input, deployments, replicas: there }, solver, { priceMoves: true, mostMoves });
        const added = plan.replicas.filter((r) => r.presentId === undefined);
        const moves = added.reduce((sum, r) => sum + movePricePerHour(input.models[r.model]!, r.usdPerHour), 0);
        expect(plan.lowerBoundUsdPerHour).toBeLessThanOrEqual(near(plan.usdPerHour + moves));
        expect(added.length).toBeLessThanOrEqual(mostMoves);
        const held = new Set(there.flatMap((r) => r.accelerators.map((a) => `${r.host}/${a}`)));
        expect(added.flatMap((r) => r.accelerators.map((a) => `${r.host}/${a}`)).filter((a) => held.has(a))).toEqual([]);
      }),
      RUNS,
    );
  });
});

describe('the fleet planner', () => {
  const chat = (requestsPerSecond: number, more: Partial<Parameters<typeof deployed>[0]> = {}) =>
    deployed({ name: 'chat', model: 'llama-3.1-8b', replicas: { min: 0, max: 40 }, demand: { requestsPerSecond }, ...more });

  it('takes the kind that serves the rate for the least money: a slow one for little, a fast one for much', () => {
    const hosts = ['a: 8 H100-SXM', 'b: 8 L40S'];
    const kinds = (rate: number) =>
      new Set(planFleet(fleetInput(hosts, [chat(rate)]), solver, EXACT).replicas.map((r) => r.shape.acceleratorKind));
    expect(kinds(1)).toEqual(new Set(['L40S']));
    expect(kinds(60)).toContain('H100-SXM');
  });

  it('serves a demand of any size, and asks for nothing where there is none', () => {
    for (const rate of [1e-16, 1e-9, 1e-3]) {
      const { replicas, refusals } = planFleet(fleetInput(['a: 2 L40S'], [chat(rate)]), solver);
      expect([replicas.length, refusals]).toEqual([1, []]);
    }
    const nothing = planFleet(fleetInput(['a: 2 L40S'], [chat(0)]), solver);
    expect(nothing).toMatchObject({ replicas: [], usdPerHour: 0, lowerBoundUsdPerHour: 0, unmetPerSecond: 0, refusals: [] });
    expect(planFleet(fleetInput(['a: 2 L40S'], []), solver).replicas).toEqual([]);
  });

  it('spreads over hosts what costs the same on one', () => {
    const spread = planFleet(fleetInput(['a: 8 L40S', 'b: 8 L40S', 'c: 8 L40S'], [chat(12)]), solver).replicas;
    const hosts = new Set(spread.map((r) => r.host));
    expect(spread.length).toBeGreaterThan(1);
    expect(hosts.size).toBe(Math.min(3, spread.length));
  });

  it('leaves room that others hold alone, whatever is gained', () => {
    const input = fleetInput(['a: 2 L40S'], [chat(5)]);
    const held = presentReplica('x', { deployment: deployed({ name: 'other', model: 'm' }), host: 'a', accelerators: [0], kind: 'L40S' });
    expect(planFleet({ ...input, replicas: [held] }, solver).replicas.flatMap((r) => r.accelerators)).toEqual([1]);
  });

  it('finds an assignment for deployments that keep apart, where there is one', () => {
    const apart = chat(0, { name: 'apart', replicas: { min: 2, max: 2 } });
    apart.spec.placement.antiAffinity = ['chat'];
    const input = fleetInput(['a: 2 L40S', 'b: 2 L40S'], [apart, chat(0, { replicas: { min: 2, max: 2 } })]);
    expect(planFleet(input, solver, EXACT).refusals).toEqual([]);
  });
});
