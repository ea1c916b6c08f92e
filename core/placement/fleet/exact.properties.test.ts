/** What holds for every exact plan: against brute force on fleets so small that every assignment can be tried, and for one accelerator more. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { fleetInput } from '../../../test/support/fleet-planning.ts';
import { deployed, fleetOf } from '../../../test/support/placement.ts';
import { apartOf } from '../affinity.ts';
import { openShapeBook } from '../shapes.ts';
import { type FleetPlan, planFleet } from './fleet-plan.ts';
import { loadHighsSolver } from './highs.ts';
import type { FleetInput } from './problem.ts';

const solver = await loadHighsSolver();
const RUNS = { numRuns: 40, seed: 7 };
const TIMEOUT_MS = 60_000;

/** A host or three of few accelerators, for which every assignment can be tried; prices differ by host. */
const tinyHosts = fc.array(
  fc.record({ kind: fc.constantFrom('L40S', 'H100-SXM'), count: fc.integer({ min: 1, max: 3 }), usd: fc.constantFrom(1, 1.005, 1.5, 4) }),
  { minLength: 1, maxLength: 3 },
);
const tinyWish = fc.record({
  min: fc.nat(3),
  requestsPerSecond: fc.constantFrom(0, 1, 7, 30),
  spread: fc.constantFrom('host' as const, 'none' as const),
  away: fc.subarray(['d0', 'd1']),
});
const tinyFleets = fc.tuple(tinyHosts, fc.array(tinyWish, { minLength: 1, maxLength: 2 })).map(([hosts, wishes]) => {
  const deployments = wishes.map(({ min, requestsPerSecond, spread, away }, i) =>
    deployed({
      ...{ name: `d${i}`, model: i === 0 ? 'llama-3.1-8b' : 'qwen3-32b', replicas: { min, max: 4 }, demand: { requestsPerSecond } },
      ...{ placement: { spread, antiAffinity: away }, targets: { tpotMs: 150, attainment: 0.9 } },
    }),
  );
  const input = fleetInput(
    hosts.map(({ kind, count }, i) => `h${i}: ${count} ${kind}`),
    deployments,
  );
  const byHost = Object.fromEntries(hosts.map(({ kind, usd }, i) => [`h${i}`, { [kind]: usd }]));
  return { ...input, prices: { ...input.prices, byHost } };
});

/** Replicas missing to minimums, requests a second unmet, USD an hour: the first that differs decides. */
type Worth = [missing: number, unmet: number, usd: number];

function isWorse(a: Worth, b: Worth): boolean {
  const at = a.findIndex((value, i) => Math.abs(value - b[i]!) > 1e-5);
  return at >= 0 && a[at]! > b[at]!;
}

function worthOf({ deployments }: FleetInput, replicas: readonly { deployment: string; rate: number; usd: number }[]): Worth {
  const of = (name: string) => replicas.filter((r) => r.deployment === name);
  const sum = (values: number[]) => values.reduce((a, b) => a + b, 0);
  const unmet = (wanted: number, served: number) => (wanted - served > 1e-6 * wanted ? wanted - served : 0);
  return [
    sum(deployments.map((d) => Math.max(0, d.spec.replicas.min - of(d.spec.name).length))),
    sum(deployments.map((d) => unmet(d.demand.requestsPerSecond, sum(of(d.spec.name).map((r) => r.rate))))),
    sum(replicas.map((r) => r.usd)),
  ];
}

const worthOfPlan = (input: FleetInput, { replicas }: FleetPlan) =>
  worthOf(
    input,
    replicas.map((r) => ({ deployment: r.deployment, rate: r.shape.capacity.requestsPerSecond, usd: r.usdPerHour })),
  );

/** Replica after replica, each on every host that it may stand on. */
function bestOfAll(input: FleetInput): Worth {
  const book = openShapeBook(input);
  const apart = apartOf(input.deployments.map((d) => d.spec));
  const ways = input.hosts.flatMap((host) =>
    input.deployments.flatMap((d) =>
      [1, 2]
        .flatMap((width) => book.shape(d, host, host.accelerators[0]!, width) ?? [])
        .filter((s) => s.capacity.meetsSlo && s.capacity.requestsPerSecond > 0)
        .map(({ tensorParallel: width, capacity, acceleratorKind }) => ({
          ...{ host, deployment: d.spec.name, width, rate: capacity.requestsPerSecond },
          usd: width * input.prices.byHost[host.name]![acceleratorKind]!,
        })),
    ),
  );
  let best = worthOf(input, []);
  const visit = (chosen: typeof ways, from: number): void => {
    const worth = worthOf(input, chosen);
    if (isWorse(best, worth)) best = worth;
    for (let i = from; i < ways.length; i++) {
      const { host, deployment, width } = ways[i]!;
      const there = chosen.filter((c) => c.host === host);
      const taken = there.reduce((sum, c) => sum + c.width, 0);
      const own = chosen.filter((c) => c.deployment === deployment).length;
      if (taken + width > host.accelerators.length || own >= 4 || there.some((c) => apart.get(deployment)?.has(c.deployment))) continue;
      visit([...chosen, ways[i]!], i);
    }
  };
  visit([], 0);
  return best;
}

describe('every exact plan of a fleet', { timeout: TIMEOUT_MS }, () => {
  it('is as good as the best of all, with anti-affinity and spread, and its bounds are what it comes to', () => {
    fc.assert(
      fc.property(tinyFleets, (input) => {
        const found = planFleet(input, solver, { exact: true });
        const worth = worthOfPlan(input, found);
        expect(worth).toEqual(bestOfAll(input).map((value) => expect.closeTo(value, 4)));
        expect(found.lowerBoundUsdPerHour).toBeCloseTo(found.usdPerHour, 4);
        const apart = apartOf(input.deployments.map((d) => d.spec));
        const meeting = found.replicas.filter((a) =>
          found.replicas.some((b) => a !== b && a.host === b.host && apart.get(a.deployment)?.has(b.deployment)),
        );
        expect(meeting).toEqual([]);
      }),
      RUNS,
    );
  });

  it('is never worse for one accelerator more, on a host or beside it', () => {
    fc.assert(
      fc.property(tinyFleets, fc.boolean(), fc.constantFrom(0.5, 1, 6), (input, beside, usd) => {
        const before = worthOfPlan(input, planFleet(input, solver, { exact: true }));
        const [first, ...rest] = input.hosts;
        const hosts = beside
          ? [...input.hosts, ...fleetOf('more: 1 L40S')]
          : [{ ...first!, accelerators: [...first!.accelerators, first!.accelerators[0]!] }, ...rest];
        const grown = { ...input, hosts, prices: { ...input.prices, byHost: { ...input.prices.byHost, more: { L40S: usd } } } };
        expect(isWorse(worthOfPlan(grown, planFleet(grown, solver, { exact: true })), before)).toBe(false);
      }),
      RUNS,
    );
  });
});
