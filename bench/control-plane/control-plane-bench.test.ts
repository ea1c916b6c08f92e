import { describe, expect, it } from 'vitest';
import { growthOf } from './growth.ts';
import type { Round } from './measure.ts';
import { renderGrowth } from './report.ts';
import { parseCpuSeconds, parsePssBytes } from './usage.ts';

const round = (hosts: number, seconds: number): Round => ({
  hosts,
  deployments: hosts / 2,
  hostsAliveSeconds: 1,
  allServingSeconds: seconds,
  rolloutSeconds: [seconds],
  outcomes: {},
  eventsPerDeployment: 300,
  plans: {},
  stageSeconds: {},
  usage: { 'control-1': { cpuSeconds: seconds, memoryBytes: 1000 }, 'host-worker': { cpuSeconds: 99, memoryBytes: 99 } },
  idleCores: {},
  loadBefore: 0,
});

describe('the bench of the control plane', () => {
  it('compares each larger fleet with the smallest, by medians, the control plane alone', () => {
    const growth = growthOf([round(20, 1), round(20, 5), round(20, 2), round(60, 12), round(200, 20)]);
    expect(growth.map((g) => [g.hosts, g.overLinear])).toEqual([
      ...[2, 2, 1 / 3].map((overLinear) => ['20 to 60 hosts', overLinear]),
      ...[1, 1, 0.1].map((overLinear) => ['20 to 200 hosts', overLinear]),
    ]);
    expect(renderGrowth(growthOf([round(20, 1), round(200, 11)]))).toContain(
      '20 to 200 hosts, time to all serving, s: 1.0 to 11.0, 1.10 of linear: WORSE THAN LINEAR',
    );
    expect(growthOf([round(20, 1)])).toEqual([]);
  });

  it('reads processor time past a name with blanks, and memory', () => {
    expect(parseCpuSeconds('7 (a) b) S 1 7 7 0 -1 0 0 0 0 0 150 50 25 75 20 0')).toBe(3);
    expect(parsePssBytes('Rss:    200 kB\nPss:     40 kB\nPss_Anon: 1 kB\n')).toBe(40_960);
  });
});
