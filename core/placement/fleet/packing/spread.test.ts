import { describe, expect, it } from 'vitest';
import { type BareProblem, problemOf } from '../../../../test/support/fleet-planning.ts';
import { spreadCounts } from './spread.ts';

/** One deployment, a column a pool, each of width 1 and rate 1 unless told. */
function spread(pools: BareProblem['pools'], counts: number[], { exact = false, present = counts.map(() => 0), rates = [1, 1, 1] } = {}) {
  const columns = pools.map((_, pool) => ({ wish: 0, pool, width: 1, rate: rates[pool]!, present: present[pool]! }));
  return spreadCounts(problemOf({ pools, columns, wishes: [{ demand: 4 }] }), counts, exact);
}

describe('spreading counts', () => {
  const near = [
    { hosts: [4], usd: 1 },
    { hosts: [4], usd: 1.01 },
  ];

  it('goes to other pools that cost next to nothing more, and where the least is asked for, nothing', () => {
    expect(spread(near, [4, 0])).toEqual([2, 2]);
    expect(spread(near, [4, 0], { exact: true })).toEqual([4, 0]);
    const same = near.map(({ hosts }) => ({ hosts, usd: 1 }));
    expect(spread(same, [4, 0], { exact: true })).toEqual([2, 2]);
    expect(spread([near[0]!, { hosts: [4], usd: 1.02 }], [4, 0])).toEqual([4, 0]);
  });

  it('leaves what stands on a host of its own, what is there, and what would serve less elsewhere', () => {
    expect(spread([{ hosts: [4, 4], usd: 1 }, near[1]!], [2, 0])).toEqual([2, 0]);
    expect(spread(near, [4, 0], { present: [3, 0] })).toEqual([3, 1]);
    expect(spread(near, [4, 0], { rates: [1, 0.9] })).toEqual([4, 0]);
  });

  it('weighs pools by their hosts', () => {
    const pools = [
      { hosts: [8], usd: 1 },
      { hosts: [4, 4, 4], usd: 1 },
    ];
    expect(spread(pools, [8, 0])).toEqual([2, 6]);
  });

  it('exchanges places with another deployment where hosts are full', () => {
    const pools = [
      { hosts: [4], usd: 1 },
      { hosts: [4], usd: 1 },
    ];
    const columns = [0, 1].flatMap((wish) => [0, 1].map((pool) => ({ wish, pool, width: 1, rate: 1 })));
    const problem = problemOf({ pools, columns, wishes: [{ demand: 4 }, { demand: 4 }] });
    expect(spreadCounts(problem, [4, 0, 0, 4], true)).toEqual([2, 2, 2, 2]);
  });

  it('keeps apart what must be, and moves nothing where moves are limited', () => {
    const pools = [
      { hosts: [4], usd: 1 },
      { hosts: [4], usd: 1 },
    ];
    const columns = [
      { wish: 0, pool: 0, width: 1, rate: 1 },
      { wish: 0, pool: 1, width: 1, rate: 1 },
      { wish: 1, pool: 1, width: 1, rate: 1 },
    ];
    const wishes = [{ demand: 4 }, { demand: 1 }];
    expect(spreadCounts(problemOf({ pools, columns, wishes, apart: [[0, 1]] }), [4, 0, 1], true)).toEqual([4, 0, 1]);
    expect(spreadCounts(problemOf({ pools, columns, wishes }), [4, 0, 1], true)).toEqual([2, 2, 1]);
    expect(spreadCounts(problemOf({ pools, columns, wishes, mostMoves: 3 }), [4, 0, 1], true)).toEqual([4, 0, 1]);
  });
});
