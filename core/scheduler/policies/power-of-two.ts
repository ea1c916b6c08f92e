/**
 * Power of two choices (Mitzenmacher 2001): of two replicas drawn by lot, the one with less in flight. Nearly as even as looking at all of
 * them, and robust to counts that are stale. smg's default.
 */
import { leastInFlight } from '../room.ts';
import { router } from '../router.ts';
import type { SchedulerPolicy } from '../types.ts';

export const powerOfTwo: SchedulerPolicy = {
  name: 'power-of-two',
  summary: 'first come, first served, to the less loaded of two replicas drawn by lot',
  createScheduler: (seed = 1) => {
    const random = lot(seed);
    return router('power-of-two', (candidates) => {
      if (candidates.length <= 2) return leastInFlight(candidates);
      const first = Math.floor(random() * candidates.length);
      const second = Math.floor(random() * (candidates.length - 1));
      return leastInFlight([candidates[first]!, candidates[second < first ? second : second + 1]!]);
    });
  },
};

/** Uniform in [0, 1): mulberry32. Lots need no more. */
function lot(seed: number): () => number {
  let state = seed | 0;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 4_294_967_296;
  };
}
