import { describe, expect, it } from 'vitest';
import type { Run } from '../../core/simulator/run.ts';
import { groupsOf, linesOf } from './grouping.ts';

const run = (policy: string, rateScale: number, rest: Partial<Run> = {}) => ({ policy, predictor: 'oracle', rateScale, ...rest }) as Run;

describe('lines', () => {
  it('are runs that differ in their rate only', () => {
    expect(linesOf([run('fcfs', 1), run('edf', 1), run('fcfs', 2)])).toEqual([
      { label: 'fcfs', runs: [0, 2], visited: [] },
      { label: 'edf', runs: [1], visited: [] },
    ]);
  });

  it('name the predictor where there are several', () => {
    const lines = linesOf([run('edf', 1), run('edf', 1, { predictor: 'mean' })]);
    expect(lines.map(({ label }) => label)).toEqual(['edf, oracle', 'edf, mean']);
  });

  it('leave nobody out whom a search has looked at in vain', () => {
    const visited = [run('fcfs', 1, { attainment: 0.2 }), run('edf', 2, { attainment: 0.99 }), run('fcfs', 0.5, { attainment: 0.3 })];
    expect(linesOf([run('edf', 2)], visited)).toEqual([
      { label: 'edf', runs: [0], visited: [{ rateScale: 2, attainment: 0.99 }] },
      {
        label: 'fcfs',
        runs: [],
        visited: [
          { rateScale: 1, attainment: 0.2 },
          { rateScale: 0.5, attainment: 0.3 },
        ],
      },
    ]);
  });
});

describe('groups', () => {
  it('are runs at one rate, slowest first', () => {
    expect(groupsOf([run('edf', 2), run('edf', 1), run('fcfs', 2)])).toEqual([
      { label: '1×', runs: [1], searched: false },
      { label: '2×', runs: [0, 2], searched: false },
    ]);
  });

  it('take sums of tenths as one rate', () => {
    expect(groupsOf([run('edf', 0.1 + 0.2), run('fcfs', 0.3)])).toHaveLength(1);
  });

  it('compare what was searched for at whatever rate', () => {
    const runs = [run('edf', 1.3, { searchedAttainment: 0.99 }), run('fcfs', 1.1, { searchedAttainment: 0.99 }), run('edf', 2)];
    expect(groupsOf(runs)).toEqual([
      { label: '2×', runs: [2], searched: false },
      { label: 'fastest found with 99 % attainment', runs: [1, 0], searched: true },
    ]);
  });
});
