/** How a step's real duration scatters around its predicted one. */
import { normal, type Random } from './random.ts';

export interface StepNoise {
  /** Standard deviation of a step's duration, as a share of it. */
  share: number;
  random: Random;
}

/** No step takes less than this share of its predicted time. */
const LEAST_FACTOR = 0.1;
const TABLE_SIZE = 4096;

/**
 * Factors for one step after another: normal around 1. They are picked from a table of normals, which takes a third of the time that a
 * new one takes; the table holds each with its mirror image, so that the mean is 1.
 */
export function createStepNoise({ share, random }: StepNoise): () => number {
  const factors = new Float64Array(TABLE_SIZE);
  for (let i = 0; i < TABLE_SIZE; i += 2) {
    const deviation = share * normal(random);
    factors[i] = Math.max(LEAST_FACTOR, 1 + deviation);
    factors[i + 1] = Math.max(LEAST_FACTOR, 1 - deviation);
  }
  return () => factors[Math.floor(random() * TABLE_SIZE)] as number;
}
