import { describe, expect, it } from 'vitest';
import { placeByHe } from './he.ts';
import { placeByHelr } from './helr.ts';
import { deviceClasses } from './interchangeable.ts';
import { placeByLr } from './lr.ts';
import type { HelrOutcome, HelrProblem } from './problem.ts';
import { cellsOf, MAX_CELLS, searchedClasses } from './searched.ts';

interface Group {
  host: string;
  count: number;
  ms: number;
  /** Layer groups that fit. */
  holds: number;
  usd?: number;
  /** Between the devices of the group. */
  linkMs: number;
}

/** Groups of like devices, `host-0`, `host-1`, ... each; layer groups of 10 bytes. */
function problemOf(layerGroups: number, betweenMs: number, groups: Group[], maxLatencyMs?: number): HelrProblem {
  const devices = groups.flatMap((group) => Array.from({ length: group.count }, (_, i) => ({ group, id: `${group.host}-${i}` })));
  return {
    layerGroups: { count: layerGroups, bytes: 8, kvBytes: 2 },
    devices: devices.map(({ group, id }) => ({
      id,
      memoryBytes: group.holds * 10,
      msPerLayerGroup: group.ms,
      usdPerHour: group.usd ?? 1,
    })),
    commMs: devices.map((a) => devices.map((b) => (a.group === b.group ? a.group.linkMs : betweenMs))),
    ...(maxLatencyMs === undefined ? {} : { maxLatencyMs }),
  };
}

const stages = (outcome: HelrOutcome) =>
  outcome.kind === 'placed' ? outcome.stages.map(({ device, layerGroups }) => `${device}: ${layerGroups}`) : outcome;

describe('the three policies', () => {
  // One slow accelerator holds the model alone; a fast one beside it holds half, across PCIe.
  const slow = { host: 'slow', count: 1, ms: 4, holds: 8, usd: 1, linkMs: 0 };
  const fast = { host: 'fast', count: 1, ms: 2, holds: 4, usd: 3, linkMs: 0 };
  const problem = (maxLatencyMs?: number) => problemOf(8, 1, [slow, fast], maxLatencyMs);

  it('LR takes the faster accelerator, too; HE only the one', () => {
    expect(stages(placeByLr(problem()))).toEqual(['fast-0: 4', 'slow-0: 4']);
    expect(stages(placeByHe(problem()))).toEqual(['slow-0: 8']);
  });

  it('HELR takes what the SLO needs, and without one the quickest', () => {
    expect(stages(placeByHelr(problem(32)))).toEqual(['slow-0: 8']);
    expect(stages(placeByHelr(problem(31)))).toEqual(['fast-0: 4', 'slow-0: 4']);
    expect(stages(placeByHelr(problem()))).toEqual(['fast-0: 4', 'slow-0: 4']);
  });

  it('HE and LR do not read the SLO', () => {
    expect(placeByHe(problem(1))).toEqual(placeByHe(problem()));
    expect(placeByLr(problem(1))).toEqual(placeByLr(problem()));
  });

  it('HELR prefers the cheaper of equally many, then the priced, then the quicker', () => {
    const dear = { host: 'a', count: 1, ms: 1, holds: 8, usd: 5, linkMs: 0 };
    const cheap = { host: 'b', count: 1, ms: 2, holds: 8, usd: 4, linkMs: 0 };
    expect(stages(placeByHelr(problemOf(8, 1, [dear, cheap], 100)))).toEqual(['b-0: 8']);
    const unpriced = problemOf(8, 1, [dear, cheap], 100);
    unpriced.devices[1]!.usdPerHour = null;
    expect(stages(placeByHelr(unpriced))).toEqual(['a-0: 8']);
    unpriced.devices[0]!.usdPerHour = null;
    expect(placeByHelr(unpriced)).toMatchObject({ stages: [{ device: 'a-0', layerGroups: 8 }], usdPerHour: null });
  });
});

describe('slow links', () => {
  const nvlink = { host: 'nv', count: 2, ms: 2, holds: 10, linkMs: 0.1 };
  const faster = { host: 'far', count: 2, ms: 1, holds: 4, linkMs: 0.1 };

  it('are not spanned to gain an accelerator that the SLO does not need', () => {
    const problem = (maxLatencyMs: number, betweenMs: number) => problemOf(20, betweenMs, [nvlink, faster], maxLatencyMs);
    expect(stages(placeByLr(problem(100, 3)))).toEqual(['far-0: 4', 'far-1: 4', 'nv-0: 6', 'nv-1: 6']);
    expect(stages(placeByHelr(problem(41, 3)))).toEqual(['nv-0: 10', 'nv-1: 10']);
    // Needed, it is spanned; and once it is slow enough it is of no use to anybody.
    expect(stages(placeByHelr(problem(40, 3)))).toEqual(['far-0: 4', 'nv-0: 8', 'nv-1: 8']);
    expect(stages(placeByLr(problem(100, 30)))).toEqual(['nv-0: 10', 'nv-1: 10']);
  });

  it('lose against fast ones among accelerators that are otherwise alike', () => {
    const pcie = { ...nvlink, host: 'a-pcie', linkMs: 2 };
    expect(stages(placeByHelr(problemOf(20, 5, [pcie, nvlink], 100)))).toEqual(['nv-0: 10', 'nv-1: 10']);
  });
});

describe('where several placements are equal', () => {
  // Links that cost nothing to use one way only, or room that is not needed, keep the devices apart.
  const named = (hosts: string[]) => hosts.map((host) => ({ host, count: 1, ms: 1, holds: 2, linkMs: 0 }));
  it('takes the devices that sort first by id', () => {
    const problem = problemOf(6, 1, named(['c', 'a', 'd', 'b']));
    problem.commMs = problem.commMs.map((row, from) => row.map((_, to) => (from === 0 && to === 2 ? 2 : 1)));
    expect(stages(placeByHe(problem))).toEqual(['a-0: 2', 'b-0: 2', 'c-0: 2']);
  });
  it('takes them in that order', () => {
    const problem = problemOf(9, 1, named(['c', 'a', 'b']));
    for (const [i, holds] of [4, 2, 3].entries()) problem.devices[i]!.memoryBytes = holds * 10;
    expect(stages(placeByHe(problem))).toEqual(['a-0: 2', 'b-0: 3', 'c-0: 4']);
  });
});

it('spreads layer groups evenly over equally fast devices', () => {
  const problem = problemOf(10, 1, [{ host: 'h', count: 3, ms: 2, holds: 4, linkMs: 1 }]);
  expect(stages(placeByHe(problem))).toEqual(['h-0: 4', 'h-1: 3', 'h-2: 3']);
});

describe('what cannot be placed', () => {
  const two = { host: 'h', count: 2, ms: 3, holds: 4, linkMs: 1 };
  it('says how many bytes are short', () => {
    for (const place of [placeByLr, placeByHe, placeByHelr]) {
      expect(place(problemOf(11, 1, [two], 50))).toEqual({ kind: 'infeasible', on: 'memory', shortBytes: 30 });
      expect(place(problemOf(11, 1, []))).toEqual({ kind: 'infeasible', on: 'memory', shortBytes: 110 });
    }
  });
  it('says what latency could be reached instead', () => {
    expect(placeByHelr(problemOf(8, 1, [two], 24))).toEqual({
      kind: 'infeasible',
      on: 'slo',
      maxLatencyMs: 24,
      best: {
        kind: 'placed',
        stages: [
          { device: 'h-0', layerGroups: 4 },
          { device: 'h-1', layerGroups: 4 },
        ],
        latencyMs: 25,
        usdPerHour: 2,
        exact: true,
      },
    });
  });
});

describe('invalid figures', () => {
  const good = problemOf(2, 1, [{ host: 'h', count: 2, ms: 1, holds: 2, linkMs: 1 }]);
  const device = good.devices[0]!;
  it.each<[string, unknown]>([
    ['layerGroups.count', { ...good, layerGroups: { ...good.layerGroups, count: 0 } }],
    ['layerGroups.count', { ...good, layerGroups: { ...good.layerGroups, count: 1.5 } }],
    ['layerGroups.bytes', { ...good, layerGroups: { ...good.layerGroups, bytes: 0 } }],
    ['layerGroups.kvBytes', { ...good, layerGroups: { ...good.layerGroups, kvBytes: -1 } }],
    ['devices[0].msPerLayerGroup', { ...good, devices: [{ ...device, msPerLayerGroup: Number.NaN }, good.devices[1]] }],
    ['devices[0].memoryBytes', { ...good, devices: [{ ...device, memoryBytes: Number.POSITIVE_INFINITY }, good.devices[1]] }],
    ['devices[0].usdPerHour', { ...good, devices: [{ ...device, usdPerHour: -2 }, good.devices[1]] }],
    ['devices[1].id', { ...good, devices: [device, device] }],
    ['commMs', { ...good, commMs: [[0, 1]] }],
    ['commMs[1]', { ...good, commMs: [[0, 1], [0]] }],
    [
      'commMs[0][1]',
      {
        ...good,
        commMs: [
          [0, -1],
          [0, 0],
        ],
      },
    ],
    ['maxLatencyMs', { ...good, maxLatencyMs: Number.NaN }],
  ])('%s is named', (field, problem) => {
    for (const place of [placeByLr, placeByHe, placeByHelr]) {
      expect(() => place(problem as HelrProblem)).toThrow(
        expect.objectContaining({
          detail: expect.objectContaining({ kind: 'invalid-input', issues: [expect.objectContaining({ field })] }),
        }),
      );
    }
  });
});

describe('interchangeable devices', () => {
  const kind = { host: 'a', count: 4, ms: 2, holds: 3, linkMs: 1 };
  const sizes = (problem: HelrProblem) => deviceClasses(problem).map((c) => c.members.length);

  it('are one class a host and kind', () => {
    expect(sizes(problemOf(12, 5, [kind, { ...kind, host: 'b' }, { ...kind, host: 'c', count: 1, ms: 1 }]))).toEqual([4, 4, 1]);
  });
  it('are one class over hosts of one accelerator each', () => {
    const singles = ['a', 'b', 'c'].map((host) => ({ ...kind, host, count: 1 }));
    expect(sizes(problemOf(3, 5, singles))).toEqual([3]);
  });
  it('are told apart by any figure or link', () => {
    const problem = problemOf(12, 5, [kind]);
    problem.devices[0]!.usdPerHour = 9;
    problem.commMs[1]![2] = 0.5;
    expect(sizes(problem)).toEqual([1, 1, 1, 1]);
  });
  it('leave out what holds no layer group', () => {
    expect(sizes(problemOf(12, 5, [kind, { ...kind, host: 'b', holds: 0 }]))).toEqual([4]);
  });
});

describe('beyond what is searched exactly', () => {
  /** All different, so that the table would have 2^count sets. */
  const different = (count: number, holds: (i: number) => number) =>
    Array.from({ length: count }, (_, i) => ({ host: `h${i}`, count: 1, ms: 1 + i, holds: holds(i), linkMs: 0 }));

  it('the fastest devices are searched, and the answer says that it was not all', () => {
    const outcome = placeByLr(
      problemOf(
        40,
        1,
        different(30, () => 5),
      ),
    );
    // Eight devices are needed; the fastest eight in a row cannot be beaten.
    expect(outcome).toMatchObject({ kind: 'placed', exact: false, latencyMs: 5 * 36 + 7 });
    expect(
      placeByLr(
        problemOf(
          40,
          1,
          different(16, () => 5),
        ),
      ),
    ).toMatchObject({ exact: true, latencyMs: 5 * 36 + 7 });
  });
  it('the largest are, where the fastest do not hold the model', () => {
    const outcome = placeByHe(
      problemOf(
        40,
        1,
        different(30, (i) => (i < 20 ? 1 : 20)),
      ),
    );
    expect(outcome).toMatchObject({ kind: 'placed', exact: false });
    expect(stages(outcome)).toEqual(['h20-0: 20', 'h21-0: 20']);
  });
  it('no class gets more places than hold the model by themselves', () => {
    const hosts = Array.from({ length: 12 }, (_, h) => ({ host: `h${h}`, count: 8, ms: 1 + h, holds: 8, linkMs: 0 }));
    const { classes, exact } = searchedClasses(deviceClasses(problemOf(16, 1, hosts)), 16);
    expect(exact).toBe(false);
    expect(classes.map((c) => [c.msPerLayerGroup, c.members.length])).toEqual([1, 2, 3, 4, 5, 6, 7, 8, 9, 10].map((ms) => [ms, 2]));
    expect(cellsOf(classes)).toBeLessThanOrEqual(MAX_CELLS);
  });
  it('it says so where it finds none though memory would do', () => {
    const outcome = placeByLr(
      problemOf(
        20,
        1,
        different(30, () => 1),
      ),
    );
    expect(outcome).toEqual({ kind: 'infeasible', on: 'search', searchedDevices: Math.log2(MAX_CELLS / 16) });
  });
});
