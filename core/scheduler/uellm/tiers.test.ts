import { describe, expect, it } from 'vitest';
import { queuedRequest, replicaView } from '../../../test/support/scheduling.ts';
import { measuredStepTime } from '../../domain/step-time.ts';
import type { ReplicaView } from '../types.ts';
import { Costs } from './cost.ts';
import { Tiers } from './tiers.ts';

const NONE = undefined;
const ROOMY = { maxInFlight: 256 };
const FAST = { ...ROOMY, stepTime: replicaView({ id: 'any' }).stepTime };
/** An 8B model on an L40S: a step takes 22 ms before there is anything in it. */
const L40S = measuredStepTime('llama-3.1-8b', 'L40S', 1)!.coefficients;
const SLOW = { ...ROOMY, stepTime: L40S };
const replicas = (parts: Partial<ReplicaView>, ...ids: string[]) => ids.map((id) => replicaView({ ...parts, id }));
const asking = (tpotMs: number | undefined) =>
  queuedRequest({ id: 'r', inputTokens: 800, predictedOutput: { p50: 150, p90: 300 }, targets: tpotMs === undefined ? {} : { tpotMs } });

/** Requests of each target by their share of a hundred. */
type Mix = readonly (readonly [tpotMs: number | undefined, percent: number])[];
const USUAL: Mix = [
  [50, 60],
  [100, 20],
  [NONE, 20],
];

function observe(tiers: Tiers, costs: Costs, mix: Mix): void {
  for (const [tpotMs, percent] of mix) {
    for (let i = 0; i < percent; i++) {
      costs.observe(asking(tpotMs));
      tiers.observe(asking(tpotMs), 1);
    }
  }
}
function divided(all: readonly ReplicaView[], mix: Mix = USUAL, leastGain = 1.35): Tiers {
  const costs = new Costs();
  const tiers = new Tiers(costs, leastGain);
  observe(tiers, costs, mix);
  tiers.refresh(all, 0);
  return tiers;
}
const keptFrom = (tiers: Tiers, all: readonly ReplicaView[], tpotMs: number | undefined) =>
  all.filter((replica) => tiers.isKeptFrom(replica, asking(tpotMs))).map(({ id }) => id);

describe('replicas that are kept for looser targets', () => {
  const mixed = [...replicas(FAST, 'f'), ...replicas(SLOW, 's1', 's2', 's3', 's4')];

  it('are those that get through much more with them, the most for the loosest', () => {
    const tiers = divided(mixed);
    expect(keptFrom(tiers, mixed, 50)).toEqual(['s1', 's2']);
    expect(keptFrom(tiers, mixed, 100)).toEqual(['s1']);
    expect(keptFrom(tiers, mixed, NONE)).toEqual([]);
  });
  it('are as many as those with looser targets can fill', () => {
    const count = (loosePercent: number) =>
      keptFrom(
        divided(mixed, [
          [50, 100 - loosePercent],
          [NONE, loosePercent],
        ]),
        mixed,
        50,
      ).length;
    const counts = [5, 20, 40, 60, 95].map(count);
    expect(counts).toEqual([...counts].sort((a, b) => a - b));
    expect(counts[0]).toBe(0);
    expect(counts.at(-1)).toBe(4);
  });
  it('are none where a looser target gains little', () => {
    const fast = replicas(FAST, 'a', 'b', 'c', 'd');
    expect(keptFrom(divided(fast), fast, 50)).toEqual([]);
    expect(keptFrom(divided(mixed, USUAL, 0), mixed, 50)).toEqual([]);
  });
  it('are none where all ask for the same, or nobody has asked', () => {
    expect(keptFrom(divided(mixed, [[50, 100]]), mixed, 50)).toEqual([]);
    expect(keptFrom(divided(mixed, []), mixed, 50)).toEqual([]);
  });
  it('are none for a target that next to nobody asks for', () => {
    const many = replicas(SLOW, ...Array.from({ length: 400 }, (_, i) => `s${i}`));
    const rare: Mix = [
      [50, 500],
      [NONE, 4],
    ];
    expect(keptFrom(divided(many, rare), many, 50)).toEqual([]);
  });
  it('are never all of a revision', () => {
    const all = [...replicas({ ...SLOW, revision: 1 }, 'a', 'b', 'c'), ...replicas({ ...SLOW, revision: 2 }, 'canary')];
    const loose: Mix = [
      [50, 10],
      [NONE, 90],
    ];
    expect(keptFrom(divided(all, loose), all, 50)).toEqual(['a', 'b']);
  });
  it('do not depend on a target that few ask for, or that none of them can keep', () => {
    for (const rare of [1, 12, 40]) expect(keptFrom(divided(mixed, [...USUAL, [rare, 2]]), mixed, 50)).toEqual(['s1', 's2']);
    expect(keptFrom(divided(mixed, [...USUAL, [3, 20]]), mixed, 50)).toEqual(['s1', 's2']);
  });
  it('are the same for gateways that see them in another order', () => {
    const reversed = [...mixed].reverse();
    expect(keptFrom(divided(reversed), mixed, 50)).toEqual(keptFrom(divided(mixed), mixed, 50));
  });
  it('hold none that cannot keep the looser target either', () => {
    const hopeless = [...replicas(FAST, 'f'), ...replicas({ ...SLOW, stepTime: { ...L40S, d0: 300 } }, 's1', 's2')];
    const targets: Mix = [
      [50, 40],
      [100, 60],
    ];
    expect(keptFrom(divided(hopeless, targets), hopeless, 50)).toEqual([]);
  });
  it('follow what is asked for within minutes, and the replicas within a second', () => {
    const costs = new Costs();
    const tiers = new Tiers(costs, 1.35);
    observe(tiers, costs, USUAL);
    tiers.refresh(mixed, 0);
    expect(keptFrom(tiers, mixed, 50)).toEqual(['s1', 's2']);
    const without = mixed.filter(({ id }) => id !== 's1');
    tiers.refresh(without, 500);
    expect(keptFrom(tiers, without, 50)).toEqual(['s2']);
    tiers.refresh(without, 1000);
    expect(keptFrom(tiers, without, 100)).toEqual(['s2']);
    for (let second = 2; second < 240; second++) {
      observe(tiers, costs, [[50, 100]]);
      tiers.refresh(mixed, 1000 * second);
    }
    expect(keptFrom(tiers, mixed, 50)).toEqual([]);
    // And what is asked for anew counts after a pause or a change as at the start.
    for (let second = 240; second < 480; second++) {
      observe(tiers, costs, USUAL);
      tiers.refresh(mixed, 1000 * second);
    }
    expect(keptFrom(tiers, mixed, 50)).toEqual(['s1', 's2']);
  });
});
