/** What holds for every plan on every fleet. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { deployed, fleetOf, TestFleet } from '../../test/support/placement.ts';
import { acceleratorKind } from '../domain/accelerators.ts';
import { isSchedulable } from '../domain/fleet.ts';
import { kvCacheTokens } from '../domain/memory.ts';
import { plan } from './planner.ts';
import type { PlanInput } from './types.ts';

const hosts = fc
  .array(fc.tuple(fc.constantFrom('H100-SXM', 'A100-80G-SXM', 'L40S', 'T4', 'MI300X'), fc.integer({ min: 1, max: 8 })), {
    minLength: 1,
    maxLength: 6,
  })
  .map((list) => list.map(([kind, count], i) => `host-${i}: ${count} ${kind}`));

const wish = fc.record({
  model: fc.constantFrom('llama-3.1-8b', 'llama-3.1-70b', 'qwen3-32b'),
  min: fc.integer({ min: 0, max: 3 }),
  more: fc.integer({ min: 1, max: 3 }),
  requestsPerSecond: fc.double({ min: 0, max: 40, noNaN: true }),
  ttftMs: fc.constantFrom(200, 1000, 8000),
  tpotMs: fc.constantFrom(20, 60, 200),
  targeted: fc.boolean(),
  spread: fc.constantFrom('host' as const, 'none' as const),
});

const fleets = fc.tuple(hosts, fc.array(wish, { minLength: 1, maxLength: 3 })).map(([texts, wishes]) => {
  const deployments = wishes.map(({ model, min, more, requestsPerSecond, ttftMs, tpotMs, targeted, spread }, i) =>
    deployed({
      name: `d${i}`,
      model,
      replicas: { min, max: min + more },
      placement: { spread },
      demand: { requestsPerSecond },
      targets: targeted ? { ttftMs, tpotMs, attainment: 0.9 } : null,
    }),
  );
  const fleet = new TestFleet(fleetOf(...texts), deployments);
  for (const d of deployments) fleet.run('deploy', d.spec.name);
  return fleet;
});

const RUNS = { numRuns: 40, seed: 7 };
const TIMEOUT_MS = 30_000;

function expectSound(input: PlanInput): void {
  const { moves } = plan(input);
  const held = new Set(input.replicas.flatMap((r) => r.accelerators.map((a) => `${r.host}/${a}`)));
  for (const move of moves) {
    if (move.kind === 'retire') continue;
    const host = input.hosts.find((h) => h.name === move.host)!;
    expect(isSchedulable(host) && host.name !== input.drainHost).toBe(true);
    expect(move.accelerators).toHaveLength(move.tensorParallel);
    expect(kvCacheTokens(input.models[move.model]!, acceleratorKind(move.acceleratorKind), move.tensorParallel)).toBeGreaterThanOrEqual(
      4096,
    );
    for (const index of move.accelerators) {
      expect(host.accelerators[index]).toBe(move.acceleratorKind);
      expect(held.has(`${move.host}/${index}`)).toBe(false);
      held.add(`${move.host}/${index}`);
    }
  }
}

describe('every plan', { timeout: TIMEOUT_MS }, () => {
  it('uses each accelerator once, of the right kind, within its memory, on a host that takes work', () => {
    fc.assert(
      fc.property(fleets, fc.double({ min: 0.2, max: 5, noNaN: true }), (fleet, change) => {
        for (const d of fleet.deployments) d.demand.requestsPerSecond *= change;
        expectSound(fleet.input('rebalance'));
        for (const h of fleet.hosts) expectSound(fleet.input('drain', h.name));
        fleet.hosts[0]!.liveness = 'lost';
        expectSound(fleet.input('replace'));
      }),
      RUNS,
    );
  });

  it('is the same for the same input, whatever the order of its lists', () => {
    fc.assert(
      fc.property(fleets, (fleet) => {
        const input = fleet.input('drain', fleet.hosts[0]!.name);
        const shuffled = { ...input, hosts: [...input.hosts].reverse(), replicas: [...input.replicas].reverse() };
        expect(plan(shuffled)).toEqual(plan(input));
      }),
      RUNS,
    );
  });

  it('moves nothing when it is made again after it was carried out', () => {
    fc.assert(
      fc.property(
        fleets,
        fc.constantFrom('deploy', 'drain', 'rebalance', 'replace'),
        fc.double({ min: 0.2, max: 5, noNaN: true }),
        (fleet, purpose, change) => {
          if (purpose === 'rebalance') for (const d of fleet.deployments) d.demand.requestsPerSecond *= change;
          if (purpose === 'replace') fleet.hosts[0]!.liveness = 'lost';
          const subject = { deploy: 'd0', drain: 'host-0', rebalance: 'cluster', replace: 'cluster' }[purpose];
          fleet.run(purpose, subject);
          expect(fleet.run(purpose, subject).moves).toEqual([]);
        },
      ),
      RUNS,
    );
  });

  it('takes no deployment below its minimum', () => {
    fc.assert(
      fc.property(fleets, fc.double({ min: 0, max: 2, noNaN: true }), (fleet, change) => {
        const counts = () => fleet.deployments.map((d) => fleet.replicas.filter((r) => r.deployment === d.spec.name).length);
        const before = counts();
        for (const d of fleet.deployments) d.demand.requestsPerSecond *= change;
        fleet.run('rebalance');
        for (const h of fleet.hosts) fleet.run('drain', h.name);
        counts().forEach((count, i) => {
          expect(count).toBeGreaterThanOrEqual(Math.min(before[i]!, fleet.deployments[i]!.spec.replicas.min));
        });
      }),
      RUNS,
    );
  });
});
