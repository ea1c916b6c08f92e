/**
 * HELR, HE and LR against what they must equal: every ordered choice of devices with every split of the layer groups among them, for all
 * instances of a grid up to 6 devices and 8 groups and for random ones; and beyond that against the recursion over (S, j, k) itself.
 */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { placeByHe } from './he.ts';
import { placeByHelr } from './helr.ts';
import { placeByLr } from './lr.ts';
import type { HelrDevice, HelrOutcome, HelrPlacement, HelrProblem } from './problem.ts';

/** What one choice of devices comes to; without a price, Infinity. All figures in the tests are whole numbers, so that sums are exact in any order. */
interface Cost {
  latencyMs: number;
  accelerators: number;
  usdPerHour: number;
}

const priceOf = (device: HelrDevice) => device.usdPerHour ?? Number.POSITIVE_INFINITY;

/** The least latency of every number of accelerators and every price, by trying everything. */
function bruteForce({ layerGroups, devices, commMs }: HelrProblem): Cost[] {
  const bytes = layerGroups.bytes + layerGroups.kvBytes;
  const least = new Map<string, Cost>();
  const extend = (used: number, last: number, rest: number, latencyMs: number, accelerators: number, usdPerHour: number) => {
    if (rest === 0) {
      const key = `${accelerators}/${usdPerHour}`;
      if (latencyMs < (least.get(key)?.latencyMs ?? Number.POSITIVE_INFINITY)) least.set(key, { latencyMs, accelerators, usdPerHour });
      return;
    }
    devices.forEach((device, next) => {
      if (used & (1 << next)) return;
      const arrivedMs = latencyMs + (last < 0 ? 0 : commMs[last]![next]!);
      const usd = usdPerHour + priceOf(device);
      for (let m = 1; m <= rest && m * bytes <= device.memoryBytes; m++) {
        extend(used | (1 << next), next, rest - m, arrivedMs + m * device.msPerLayerGroup, accelerators + 1, usd);
      }
    });
  };
  extend(0, -1, layerGroups.count, 0, 0, 0);
  return [...least.values()];
}

/** The same by the paper's recursion, literally: dp[S][j][k] over subsets, last device and layer groups. */
function recursion({ layerGroups, devices, commMs }: HelrProblem): Cost[] {
  const [n, groups, bytes] = [devices.length, layerGroups.count, layerGroups.bytes + layerGroups.kvBytes];
  const dp = new Float64Array(2 ** n * n * (groups + 1)).fill(Number.POSITIVE_INFINITY);
  const at = (set: number, last: number, k: number) => (set * n + last) * (groups + 1) + k;
  const costs: Cost[] = [];
  for (let set = 1; set < 2 ** n; set++) {
    const members = devices.map((_, i) => i).filter((i) => set & (1 << i));
    for (const j of members) {
      for (let k = 1; k <= groups; k++) {
        for (let m = 1; m <= k && m * bytes <= devices[j]!.memoryBytes; m++) {
          const before = set & ~(1 << j);
          const ownMs = m * devices[j]!.msPerLayerGroup;
          if (before === 0 && m === k) dp[at(set, j, k)] = ownMs;
          for (const i of members) {
            if (i === j) continue;
            dp[at(set, j, k)] = Math.min(dp[at(set, j, k)]!, dp[at(before, i, k - m)]! + commMs[i]![j]! + ownMs);
          }
        }
      }
    }
    const latencyMs = Math.min(...members.map((j) => dp[at(set, j, groups)]!));
    const usdPerHour = members.reduce((sum, i) => sum + priceOf(devices[i]!), 0);
    if (latencyMs < Number.POSITIVE_INFINITY) costs.push({ latencyMs, accelerators: members.length, usdPerHour });
  }
  return costs;
}

function first(costs: readonly Cost[], ...keys: (keyof Cost)[]): Cost {
  const better = (a: Cost, b: Cost) => keys.map((key) => Number(a[key] > b[key]) - Number(a[key] < b[key])).find((sign) => sign !== 0) ?? 0;
  return [...costs].sort(better)[0]!;
}

/** What a placement costs by its stages alone. @throws where it is none */
function costOf(placement: HelrPlacement, { layerGroups, devices, commMs }: HelrProblem): Cost {
  const stages = placement.stages.map((stage) => ({ ...stage, index: devices.findIndex((d) => d.id === stage.device) }));
  const cost = { latencyMs: 0, accelerators: stages.length, usdPerHour: 0 };
  stages.forEach(({ index, layerGroups: held }, i) => {
    const device = devices[index]!;
    if (held < 1 || held * (layerGroups.bytes + layerGroups.kvBytes) > device.memoryBytes) throw new Error(`${device.id} holds ${held}`);
    cost.latencyMs += held * device.msPerLayerGroup + (i > 0 ? commMs[stages[i - 1]!.index]![index]! : 0);
    cost.usdPerHour += priceOf(device);
  });
  if (new Set(stages.map((s) => s.index)).size < stages.length) throw new Error('a device is used twice');
  if (stages.reduce((sum, s) => sum + s.layerGroups, 0) !== layerGroups.count) throw new Error('layer groups are lost or doubled');
  if (placement.latencyMs !== cost.latencyMs || (placement.usdPerHour ?? Number.POSITIVE_INFINITY) !== cost.usdPerHour) {
    throw new Error(`its stages come to ${JSON.stringify(cost)}, it says ${JSON.stringify(placement)}`);
  }
  return cost;
}

function expectCost(outcome: HelrOutcome, problem: HelrProblem, cost: Cost): void {
  if (outcome.kind !== 'placed') throw new Error(`not placed: ${JSON.stringify(outcome)}`);
  expect(outcome.exact).toBe(true);
  expect(costOf(outcome, problem)).toEqual(cost);
}

/** All three policies, HELR under SLOs that nothing, something and everything meets. Returns how many answers it compared. */
function expectEqualCosts(problem: HelrProblem, costs: readonly Cost[]): number {
  if (costs.length === 0) {
    const capacity = problem.devices.reduce((sum, d) => sum + Math.floor(d.memoryBytes / 5), 0);
    for (const place of [placeByLr, placeByHe, placeByHelr]) {
      expect(place(problem)).toEqual({ kind: 'infeasible', on: 'memory', shortBytes: 5 * (problem.layerGroups.count - capacity) });
    }
    return 3;
  }
  const lr = first(costs, 'latencyMs', 'accelerators', 'usdPerHour');
  const he = first(costs, 'accelerators', 'latencyMs', 'usdPerHour');
  expectCost(placeByLr(problem), problem, lr);
  expectCost(placeByHe(problem), problem, he);
  expectCost(placeByHelr(problem), problem, lr);
  const targets = new Set([lr.latencyMs - 1, lr.latencyMs, Math.ceil((lr.latencyMs + he.latencyMs) / 2), he.latencyMs + 7]);
  for (const maxLatencyMs of targets) {
    if (maxLatencyMs <= 0) continue;
    const wished = { ...problem, maxLatencyMs };
    const meeting = costs.filter((c) => c.latencyMs <= maxLatencyMs);
    const outcome = placeByHelr(wished);
    if (meeting.length > 0) {
      expectCost(outcome, wished, first(meeting, 'usdPerHour', 'accelerators', 'latencyMs'));
    } else {
      if (outcome.kind !== 'infeasible' || outcome.on !== 'slo') throw new Error(`no refusal: ${JSON.stringify(outcome)}`);
      expectCost(outcome.best, wished, lr);
    }
  }
  return 3 + targets.size;
}

const SPEEDS = {
  alike: () => 3,
  twoKinds: (i: number) => (i % 2 === 0 ? 2 : 5),
  allDiffer: (i: number) => 1 + ((i * 5) % 7),
};
/** Groups that a device holds; of 5 bytes each. */
const MEMORIES = {
  roomy: (_: number, __: number, groups: number) => groups,
  tight: (_: number, n: number, groups: number) => Math.ceil(groups / n),
  mixed: (i: number) => (i * 3) % 4,
  short: (_: number, n: number, groups: number) => Math.floor((groups - 1) / n),
};
const LINKS = {
  nvlink: () => 0,
  pcie: () => 4,
  twoHosts: (i: number, j: number) => (i % 2 === j % 2 ? 1 : 9),
  pairs: (i: number, j: number) => (i >> 1 === j >> 1 ? 1 : 6),
  // One way is not the other, and a detour may be shorter.
  irregular: (i: number, j: number) => (i * 7 + j * 11 + i * j) % 13,
};
const PRICES = {
  none: () => null,
  some: (i: number) => (i % 3 === 1 ? null : 2),
  // The first costs nothing.
  differ: (i: number) => (i * 5) % 7,
};

describe('every small instance', () => {
  for (const [speed, msOf] of Object.entries(SPEEDS)) {
    it(`costs what brute force finds: ${speed}`, () => {
      let compared = 0;
      for (let n = 1; n <= 6; n++) {
        const range = [...Array(n).keys()];
        for (let groups = 1; groups <= 8; groups++) {
          for (const memoryOf of Object.values(MEMORIES)) {
            for (const linkOf of Object.values(LINKS)) {
              for (const priceOf of Object.values(PRICES)) {
                const problem: HelrProblem = {
                  layerGroups: { count: groups, bytes: 3, kvBytes: 2 },
                  devices: range.map((i) => ({
                    id: `device-${(i * 5) % 7}`,
                    memoryBytes: memoryOf(i, n, groups) * 5 + (i % 5),
                    msPerLayerGroup: msOf(i),
                    usdPerHour: priceOf(i),
                  })),
                  commMs: range.map((i) => range.map((j) => linkOf(i, j))),
                };
                compared += expectEqualCosts(problem, bruteForce(problem));
              }
            }
          }
        }
      }
      expect(compared).toBeGreaterThan(6 * 8 * 4 * 5 * 3 * 3);
    });
  }
});

/** Some devices copy the links and figures of their neighbour, so that classes of interchangeable ones are among them. */
function problems(size: { devices: number; groups: number }): fc.Arbitrary<HelrProblem> {
  return fc.integer({ min: 1, max: size.devices }).chain((n) =>
    fc
      .record({
        groups: fc.integer({ min: 1, max: size.groups }),
        ms: fc.array(fc.integer({ min: 0, max: 9 }), { minLength: n, maxLength: n }),
        memory: fc.array(fc.integer({ min: 0, max: 5 * size.groups }), { minLength: n, maxLength: n }),
        usd: fc.array(fc.option(fc.integer({ min: 0, max: 5 }), { freq: 20 }), { minLength: n, maxLength: n }),
        comm: fc.array(fc.array(fc.integer({ min: 0, max: 12 }), { minLength: n, maxLength: n }), { minLength: n, maxLength: n }),
        kinds: fc.array(fc.nat({ max: n - 1 }), { minLength: n, maxLength: n }),
      })
      .map(({ groups, ms, memory, usd, comm, kinds }) => ({
        layerGroups: { count: groups, bytes: 4, kvBytes: 1 },
        devices: kinds.map((k, i) => ({ id: `d${i}`, memoryBytes: memory[k]!, msPerLayerGroup: ms[k]!, usdPerHour: usd[k]! })),
        commMs: kinds.map((a) => kinds.map((b) => comm[a]![b]!)),
      })),
  );
}

describe('random instances', () => {
  it('cost what brute force finds', () => {
    fc.assert(
      fc.property(problems({ devices: 6, groups: 8 }), (problem) => {
        expectEqualCosts(problem, bruteForce(problem));
      }),
      { numRuns: 500, seed: 11 },
    );
  });

  it('too large for that cost what the recursion over (S, j, k) finds', () => {
    fc.assert(
      fc.property(problems({ devices: 9, groups: 16 }), (problem) => {
        expectEqualCosts(problem, recursion(problem));
      }),
      { numRuns: 60, seed: 11 },
    );
  });

  it('give the same answer whatever the order of the devices', () => {
    const shuffled = problems({ devices: 6, groups: 8 }).chain((problem) =>
      fc.tuple(fc.constant(problem), fc.shuffledSubarray([...problem.devices.keys()], { minLength: problem.devices.length })),
    );
    fc.assert(
      fc.property(shuffled, ([problem, order]) => {
        const devices = order.map((i) => problem.devices[i]!);
        const commMs = order.map((a) => order.map((b) => problem.commMs[a]![b]!));
        for (const place of [placeByLr, placeByHe, placeByHelr]) {
          expect(place({ ...problem, devices, commMs, maxLatencyMs: 20 })).toEqual(place({ ...problem, maxLatencyMs: 20 }));
        }
      }),
      { numRuns: 200, seed: 11 },
    );
  });
});
