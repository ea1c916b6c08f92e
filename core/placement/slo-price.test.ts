import { describe, expect, it } from 'vitest';
import { type Deployed, deployed, fleetOf, TestFleet } from '../../test/support/placement.ts';
import { planFleet } from './fleet/fleet-plan.ts';
import { loadHighsSolver } from './fleet/highs.ts';
import { openShapeBook } from './shapes.ts';
import { type SloPriceInput, sloPrices } from './slo-price.ts';

const solver = await loadHighsSolver();
const SLO = { ttftMs: 1000, tpotMs: 50, attainment: 0.9 };
const chat = (fields: Partial<Deployed> = {}) =>
  deployed({ name: 'chat', model: 'llama-3.1-8b', targets: SLO, demand: { requestsPerSecond: 20 }, ...fields });

function inputOf(hosts: string[], ...deployments: ReturnType<typeof chat>[]): SloPriceInput {
  return new TestFleet(fleetOf(...hosts), deployments).input('rebalance');
}
const MIXED = ['h: 2 H100-SXM', 'a: 2 A100-80G-SXM', 'l: 1 L40S'];
const levelsOf = (input: SloPriceInput, tpotMs: number[]) => sloPrices(input, tpotMs, solver)[0]!.levels;

describe('the price of an SLO', () => {
  it('falls as TPOT may rise, and is given at the own targets too', () => {
    const levels = levelsOf(inputOf(MIXED, chat({ demand: { requestsPerSecond: 200 } })), [100, 15]);
    expect(levels.map((l) => [l.targets!.tpotMs, l.own])).toEqual([
      [15, false],
      [50, true],
      [100, false],
    ]);
    expect(levels.every((l) => l.targets!.ttftMs === 1000)).toBe(true);
    const usd = levels.map((l) => l.usdPerHour!);
    expect(usd).toEqual([...usd].sort((a, b) => b - a));
    expect(usd[0]).toBeGreaterThan(usd[2]!);
    expect(levels[1]!.usdPerThousandRequests).toBeCloseTo(usd[1]! / 720, 9);
  });

  it('is that of the replicas named, which serve the demand', () => {
    const input = inputOf(MIXED, chat({ demand: { requestsPerSecond: 90 } }));
    for (const { targets, replicas, usdPerHour } of levelsOf(input, [30])) {
      const at = { ...input.deployments[0]!, targets };
      const served = replicas.map(({ count, acceleratorKind, tensorParallel }) => {
        const host = input.hosts.find((h) => h.accelerators[0] === acceleratorKind)!;
        const { capacity } = openShapeBook(input).shape(at, host, acceleratorKind, tensorParallel)!;
        expect(capacity.meetsSlo).toBe(true);
        return count * capacity.requestsPerSecond;
      });
      expect(served.reduce((sum, s) => sum + s, 0)).toBeGreaterThanOrEqual(90 * (1 - 1e-6));
      expect(usdPerHour).toBeCloseTo(
        replicas.reduce((sum, r) => sum + r.usdPerHour, 0),
        9,
      );
    }
  });

  it('is what the fleet planner would pay on an empty fleet with room for all', () => {
    for (const requestsPerSecond of [3, 110]) {
      const hosts = MIXED.flatMap((host) => Array.from({ length: 20 }, (_, i) => host.replace(':', `${i}:`)));
      const input = inputOf(hosts, chat({ demand: { requestsPerSecond }, replicas: { min: 1, max: 100 } }));
      for (const { own, targets, usdPerHour, presentFleet } of levelsOf(inputOf(MIXED, ...input.deployments), [30])) {
        const planned = planFleet({ ...input, deployments: [{ ...input.deployments[0]!, targets }] }, solver, { exact: true });
        expect(planned.refusals).toEqual([]);
        expect([own, usdPerHour]).toEqual([own, expect.closeTo(planned.usdPerHour, 6)]);
        expect(presentFleet.usdPerHour ?? Number.POSITIVE_INFINITY).toBeGreaterThanOrEqual(usdPerHour! - 1e-6);
      }
    }
  });

  it('mixes kinds where no one of them is the cheapest alone', () => {
    const demand = { requestsPerSecond: 24 };
    const each = ['h: 1 H100-SXM', 'l: 1 L40S'].map((host) => levelsOf(inputOf([host], chat({ demand })), [])[0]!.usdPerHour!);
    const [both] = levelsOf(inputOf(['h: 1 H100-SXM', 'l: 1 L40S'], chat({ demand })), []);
    expect(both!.replicas.map((r) => r.acceleratorKind).sort()).toEqual(['H100-SXM', 'L40S']);
    expect(both!.usdPerHour).toBeLessThan(Math.min(...each));
  });

  it('has at least the replicas that are wanted in any case, and none that are not', () => {
    const idle = chat({ demand: { requestsPerSecond: 0 }, replicas: { min: 3, max: 8 } });
    expect(levelsOf(inputOf(['l: 1 L40S'], idle), [])[0]).toMatchObject({
      usdPerHour: expect.closeTo(3 * 1.55, 9),
      usdPerThousandRequests: null,
      replicas: [{ count: 3, acceleratorKind: 'L40S', tensorParallel: 1 }],
    });
    const none = chat({ demand: { requestsPerSecond: 0 }, replicas: { min: 0, max: 8 } });
    expect(levelsOf(inputOf(['l: 1 L40S'], none), [])[0]).toMatchObject({ usdPerHour: 0, replicas: [], refusal: null });
  });

  it('does not depend on what is held, out of work or on the most replicas allowed', () => {
    const input = inputOf(MIXED, chat({ demand: { requestsPerSecond: 300 }, replicas: { min: 1, max: 2 } }));
    const away = { ...input, hosts: input.hosts.map((h) => ({ ...h, liveness: 'lost' as const })) };
    expect(levelsOf(away, []).map((l) => l.usdPerHour)).toEqual(levelsOf(input, []).map((l) => l.usdPerHour));
    expect(levelsOf(away, []).map((l) => l.presentFleet.holds)).toEqual([false]);
  });

  it('takes targets from nowhere but the level where no policy names any', () => {
    const levels = levelsOf(inputOf(MIXED, chat({ targets: null })), [50]);
    expect(levels.map((l) => [l.targets, l.own])).toEqual([
      [{ tpotMs: 50, attainment: 0.99 }, false],
      [null, true],
    ]);
    expect(levels[0]!.usdPerHour).toBeGreaterThanOrEqual(levels[1]!.usdPerHour!);
  });
});

describe('a level that nothing attains', () => {
  it('says what is the nearest that would', () => {
    const input = inputOf(['l: 4 L40S'], chat({ model: 'llama-3.1-70b', targets: { tpotMs: 200, attainment: 0.9 } }));
    const [tight, own] = levelsOf(input, [5]);
    expect(tight).toMatchObject({ usdPerHour: null, usdPerThousandRequests: null, replicas: [], presentFleet: { holds: false } });
    expect(tight!.refusal).toMatchObject({ kind: 'refused', on: 'slo', nearest: expect.stringMatching(/^fits at TPOT \d+ ms$/) });
    expect(own).toMatchObject({ own: true, refusal: null });
    const nearest = Number(/\d+/.exec(tight!.refusal!.nearest!)![0]);
    expect(levelsOf(input, [nearest])[0]!.refusal).toBeNull();
    expect(levelsOf(input, [nearest - 1])[0]!.refusal).not.toBeNull();
  });

  it('says that a model fits nowhere, or that its size is unknown', () => {
    const large = inputOf(['t: 1 T4'], chat({ model: 'llama-3.1-70b' }));
    expect(levelsOf(large, [])[0]!.refusal).toMatchObject({ on: 'memory' });
    expect(levelsOf({ ...large, models: {} }, [])[0]!.refusal).toMatchObject({ message: expect.stringContaining('unknown') });
  });

  it('says so where only kinds without a price would do', () => {
    const input = { ...inputOf(['l: 2 L4'], chat({ demand: { requestsPerSecond: 0.1 }, targets: null })) };
    expect(levelsOf(input, [])[0]).toMatchObject({ usdPerHour: null, refusal: { on: 'price', nearest: 'give usdPerHour for L4' } });
  });
});

describe('where TPOT is not what stands in the way', () => {
  it('names no TPOT that would do', () => {
    const hasty = inputOf(['l: 1 L40S'], chat({ targets: { ttftMs: 1, tpotMs: 50, attainment: 0.9 } }));
    expect(levelsOf(hasty, [])[0]!.refusal).toMatchObject({ on: 'slo', nearest: expect.stringContaining('TTFT') });
  });
});

describe('the present fleet', () => {
  it('holds a level where what others have leaves room', () => {
    const input = inputOf(['l: 4 L40S'], chat({ demand: { requestsPerSecond: 5 } }));
    const [level] = levelsOf(input, []);
    expect(level!.presentFleet).toEqual({ holds: true, usdPerHour: level!.usdPerHour, refusal: null });
    const others = [0, 1, 2, 3].map((index) => ({
      ...{ id: `o${index}`, model: 'm', deployment: 'other', revision: 1, host: 'l', accelerators: [index], acceleratorKind: 'L40S' },
      ...{ tensorParallel: 1, engine: 'simulated' as const, endpoint: null, state: 'ready' as const, generation: 1, weight: 100 },
      ...{ simulated: true, reason: '' },
    }));
    const [full] = levelsOf({ ...input, replicas: others }, []);
    expect(full).toMatchObject({ usdPerHour: level!.usdPerHour, presentFleet: { holds: false, usdPerHour: null } });
    expect(full!.presentFleet.refusal).toMatchObject({ on: 'accelerators' });
    const own = others.map((r) => ({ ...r, deployment: 'chat' }));
    expect(levelsOf({ ...input, replicas: own }, [])[0]!.presentFleet.holds).toBe(true);
  });

  it('does not hold what takes more replicas than are allowed', () => {
    const input = inputOf(['l: 8 L40S'], chat({ demand: { requestsPerSecond: 20 }, replicas: { min: 1, max: 1 } }));
    expect(levelsOf(input, [])[0]!.presentFleet.refusal).toMatchObject({
      on: 'replicas',
      nearest: expect.stringContaining('replicas.max'),
    });
  });
});
