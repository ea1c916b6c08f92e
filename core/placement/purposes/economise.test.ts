import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type Deployed, deployed, fleetOf, TestFleet } from '../../../test/support/placement.ts';
import type { Move, PlaceMove, RetireMove } from '../../domain/plan.ts';
import { loadHighsSolver } from '../fleet/highs.ts';
import { plan } from '../planner.ts';

const solver = await loadHighsSolver();

const chat = (more: Partial<Deployed> = {}) =>
  deployed({
    ...{ name: 'chat', model: 'llama-3.1-8b', replicas: { min: 1, max: 20 }, demand: { requestsPerSecond: 2 } },
    ...{ targets: { tpotMs: 100, attainment: 0.9 } },
    ...more,
  });

/** Deployed while there were only these hosts; those that are cheaper came later. */
function grown(hosts: string[], deployments: ReturnType<typeof chat>[], later: string[], prices: Record<string, number> = {}): TestFleet {
  const fleet = new TestFleet(fleetOf(...hosts), deployments);
  for (const { spec } of deployments) fleet.run('deploy', spec.name);
  fleet.hosts = [...fleet.hosts, ...fleetOf(...later)];
  fleet.prices = { byKind: { ...fleet.prices.byKind, ...prices }, byHost: {} };
  return fleet;
}

function rebalance(fleet: TestFleet) {
  const output = plan(fleet.input('rebalance'), solver);
  fleet.carryOut(output);
  return output;
}

const places = (moves: readonly Move[]): PlaceMove[] => moves.filter((m) => m.kind === 'place');
const retires = (moves: readonly Move[]): RetireMove[] => moves.filter((m) => m.kind === 'retire');

describe('economising', () => {
  it('moves a replica to what serves the same for less, and then nothing more', () => {
    const fleet = grown(['a: 2 H100-SXM'], [chat()], ['b: 2 L40S']);
    const { moves, report } = rebalance(fleet);
    expect(moves).toMatchObject([{ kind: 'place', deployment: 'chat', host: 'b', acceleratorKind: 'L40S', replaces: 'p1-1' }]);
    expect(report.reasons.at(-1)).toMatch(/^the same is served for \d\.\d\d USD\/h less, the price of the moves taken off$/);
    expect(report.costUsdPerHourAfter).toBe(1.55);
    expect(rebalance(fleet).moves).toEqual([]);
  });

  it('moves nothing for less than the move costs', () => {
    const movesAt = (usd: number) =>
      rebalance(grown(['a: 2 H100-SXM'], [chat()], ['b: 2 L40S'], { 'H100-SXM': 1.6, L40S: usd })).moves.length;
    // A move of 16 GB costs 76 s of its accelerator and 0.05 USD.
    expect(movesAt(1.55)).toBe(0);
    expect(movesAt(1.53)).toBe(0);
    expect(movesAt(1.45)).toBe(1);
  });

  it('takes several for one: the old one leaves once all the new ones serve', () => {
    const fleet = grown(['a: 1 H100-SXM'], [chat({ demand: { requestsPerSecond: 14 } })], ['b: 4 L40S', 'c: 4 L40S'], { L40S: 0.4 });
    expect(fleet.replicas).toHaveLength(1);
    const { moves } = rebalance(fleet);
    expect(places(moves).length).toBeGreaterThan(1);
    expect(places(moves).every((m) => m.replaces === undefined)).toBe(true);
    expect(retires(moves)).toMatchObject([{ replicaId: 'p1-1', after: places(moves).map((m) => m.replicaId) }]);
    expect(rebalance(fleet).moves).toEqual([]);
  });

  it('takes one for several: they leave once it serves', () => {
    const fleet = grown(['a: 4 L40S'], [chat({ demand: { requestsPerSecond: 14 } })], ['b: 1 H100-SXM'], { 'H100-SXM': 0.9 });
    expect(fleet.replicas.length).toBeGreaterThan(1);
    const old = fleet.replicas.map((r) => r.id);
    const { moves } = rebalance(fleet);
    expect(places(moves)).toMatchObject([{ host: 'b' }]);
    expect(retires(moves).map((m) => m.replicaId)).toEqual(old);
    for (const move of retires(moves)) expect(move.after).toEqual([places(moves)[0]!.replicaId]);
  });

  it('keeps the least number of replicas, and all that serves a quarter more than is asked', () => {
    const fleet = grown(['a: 2 H100-SXM', 'b: 2 H100-SXM'], [chat({ replicas: { min: 2, max: 20 } })], ['c: 2 L40S', 'd: 2 L40S']);
    const { moves } = rebalance(fleet);
    expect(places(moves)).toHaveLength(2);
    expect(fleet.replicas.map((r) => r.acceleratorKind)).toEqual(['L40S', 'L40S']);
    const capacity = places(moves).reduce((sum, m) => sum + m.capacityRequestsPerSecond, 0);
    expect(capacity).toBeGreaterThanOrEqual(2 / 0.8);
  });

  it('leaves a deployment that stands on two hosts on two', () => {
    const fleet = grown(['a: 2 H100-SXM', 'b: 2 H100-SXM'], [chat({ replicas: { min: 2, max: 20 } })], ['c: 8 L40S']);
    rebalance(fleet);
    expect(new Set(fleet.replicas.map((r) => r.host)).size).toBe(2);
    expect(fleet.replicas).toHaveLength(2);
  });

  it('moves no more at once than may move, and goes on with the next plan', () => {
    const fleet = grown(['a: 4 H100-SXM', 'b: 4 H100-SXM'], [chat({ replicas: { min: 4, max: 20 } })], ['c: 4 L40S', 'd: 4 L40S']);
    fleet.budget = { maxUnavailable: 0, maxMoving: 1 };
    const counts = Array.from({ length: 5 }, () => rebalance(fleet).moves.length);
    expect(counts).toEqual([1, 1, 1, 1, 0]);
  });

  it.each([
    ['one is still starting', (fleet: TestFleet) => Object.assign(fleet.replicas[0]!, { state: 'starting' })],
    ['its host takes no work', (fleet: TestFleet) => Object.assign(fleet.host('a'), { service: 'cordoned' })],
    ['there is no price', (fleet: TestFleet) => Object.assign(fleet, { prices: { byKind: {}, byHost: {} } })],
  ])('leaves a deployment alone where %s', (_, disturb) => {
    const fleet = grown(['a: 2 H100-SXM'], [chat()], ['b: 2 L40S']);
    disturb(fleet);
    expect(rebalance(fleet).moves).toEqual([]);
  });

  it('saves nothing while a deployment is short', () => {
    const short = chat({ name: 'short', demand: { requestsPerSecond: 500 } });
    const fleet = grown(['a: 2 H100-SXM'], [chat(), short], ['b: 2 L40S']);
    const { moves, report } = rebalance(fleet);
    expect(report.waiting).not.toEqual([]);
    expect(moves.filter((m) => m.deployment === 'chat')).toEqual([]);
  });

  it('does nothing without a solver', () => {
    const fleet = grown(['a: 2 H100-SXM'], [chat()], ['b: 2 L40S']);
    expect(plan(fleet.input('rebalance')).moves).toEqual([]);
  });
});

describe('what economising came to', { timeout: 60_000 }, () => {
  const hosts = (kinds: readonly string[]) =>
    fc.array(fc.tuple(fc.constantFrom(...kinds), fc.constantFrom(1, 2, 4)), { minLength: 2, maxLength: 4 });
  const wishes = fc.array(
    fc.record({
      model: fc.constantFrom('llama-3.1-8b', 'llama-3.1-8b', 'qwen3-32b'),
      requestsPerSecond: fc.double({ min: 0.2, max: 15, noNaN: true }),
      min: fc.integer({ min: 0, max: 2 }),
      spread: fc.constantFrom('host' as const, 'none' as const),
    }),
    { minLength: 1, maxLength: 3 },
  );
  const fleets = fc
    .tuple(hosts(['H100-SXM', 'A100-80G-SXM']), hosts(['L40S', 'A100-80G-SXM', 'H100-SXM']), wishes)
    .map(([first, later, list]) =>
      grown(
        first.map(([kind, count], i) => `first-${i}: ${count} ${kind}`),
        list.map(({ model, requestsPerSecond, min, spread }, i) =>
          chat({ name: `d${i}`, model, demand: { requestsPerSecond }, replicas: { min, max: 20 }, placement: { spread } }),
        ),
        later.map(([kind, count], i) => `later-${i}: ${count} ${kind}`),
      ),
    );
  const RUNS = { numRuns: 15, seed: 9 };
  /** Does everything suffice as it is, and for 10 % more, dear as it may be? */
  const isQuiet = (fleet: TestFleet) =>
    [1, 1.1].every((factor) => {
      const input = fleet.input('rebalance');
      const grown = input.deployments.map((d) => ({
        ...d,
        demand: { ...d.demand, requestsPerSecond: d.demand.requestsPerSecond * factor },
      }));
      const { moves, report } = plan({ ...input, deployments: grown });
      return moves.length + report.waiting.length === 0;
    });
  /** A deployment that would lose its spread waits for the next plan, when others have taken their places. */
  const settle = (fleet: TestFleet) => {
    for (const _ of fleet.deployments) rebalance(fleet);
    expect(rebalance(fleet).moves).toEqual([]);
  };
  const replicasOf = (fleet: TestFleet, name: string) => fleet.replicas.filter((r) => r.deployment === name);

  it('costs no more than before, keeps minima and spread, and comes to rest', () => {
    fc.assert(
      fc.property(fleets, (fleet) => {
        const before = new Map(fleet.deployments.map(({ spec }) => [spec.name, replicasOf(fleet, spec.name)]));
        fc.pre(isQuiet(fleet));
        const { report } = rebalance(fleet);
        expect(report.costUsdPerHourAfter!).toBeLessThanOrEqual(report.costUsdPerHourBefore!);
        for (const { spec } of fleet.deployments) {
          const [there, now] = [before.get(spec.name)!, replicasOf(fleet, spec.name)];
          expect(now.length).toBeGreaterThanOrEqual(Math.min(there.length, spec.replicas.min));
          const onSeveral = (list: typeof now) => new Set(list.map((r) => r.host)).size > 1;
          if (spec.placement.spread === 'host' && onSeveral(there) && now.length > 1) expect(onSeveral(now)).toBe(true);
        }
        settle(fleet);
      }),
      RUNS,
    );
  });

  // At 10 % less it may find one more exchange, that of a service which has shrunk: nothing says yet that it has not. Nothing undoes that.
  it('is moved at most once by a demand that flaps by 10 %, and to what costs less', () => {
    fc.assert(
      fc.property(fleets, (fleet) => {
        fc.pre(isQuiet(fleet));
        settle(fleet);
        const asked = fleet.deployments.map((d) => d.demand.requestsPerSecond);
        const flap = (factor: number) => {
          fleet.deployments.forEach((d, i) => {
            d.demand.requestsPerSecond = asked[i]! * factor;
          });
          return rebalance(fleet);
        };
        for (const factor of [1.1, 0.9, 0.9, 0.9]) {
          const { moves, report } = flap(factor);
          if (moves.length > 0) expect(report.costUsdPerHourAfter!).toBeLessThan(report.costUsdPerHourBefore!);
        }
        for (const factor of [1.1, 1, 0.9, 1.1, 0.9]) expect(flap(factor).moves).toEqual([]);
      }),
      RUNS,
    );
  });
});
