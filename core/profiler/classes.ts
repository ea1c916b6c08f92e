/**
 * What is a class's own among a model's answers: where its p90 lies beside the others' (Mondrian conformal prediction: Vovk, Gammerman and
 * Shafer, Algorithmic Learning in a Random World, section 4.5, here one answer at a time). A class with few answers goes by what all have.
 */
import { z } from 'zod';
import { bucketOf } from './features.ts';

/** Classes share buckets by hash: a snapshot stays small however many there are. */
const BUCKETS = 16;
/** Offsets look back over about this many answers of a bucket. */
const WINDOW = 1000;
/**
 * 1 / density of the residuals at their 90 % quantile, in units of their mean size: 10 for Laplace's, 7 for normal ones. With steps of this
 * over the number of answers, stochastic approximation finds a quantile soonest (Robbins and Monro).
 */
const STEP = 8;
/**
 * What all classes have in common weighs as much as so many answers of one: from as many its quantile is known to a third of the residuals'
 * mean size, and by no less do classes differ where it matters.
 */
const SHRINKAGE = 50;

export const classesSchema = z.object({
  answers: z.array(z.number().int().nonnegative()).length(BUCKETS),
  /** To be added to the offset of the p90. */
  offset90: z.array(z.number()).length(BUCKETS),
});
export type Classes = z.infer<typeof classesSchema>;

export const classBucket = (name: string): number => bucketOf(`class ${name}`, BUCKETS);

const all = (value: number) => new Array<number>(BUCKETS).fill(value);

export function noClasses(): Classes {
  return { answers: all(0), offset90: all(0) };
}

/**
 * Moves a class's offset after one of its answers, in place; the less, the more of a model's answers are of this class: what all have is no
 * matter of the class.
 * @param direction in ln(tokens): the residuals' mean size, times what is aimed at above the quantile or below it
 * @param observations answers of the model in all, this one included
 */
export function moveClass({ answers, offset90 }: Classes, bucket: number, direction: number, observations: number): void {
  const seen = ++answers[bucket]!;
  const others = Math.max(0, 1 - seen / observations);
  offset90[bucket]! += (others * STEP * direction) / Math.min(WINDOW, seen + SHRINKAGE);
}
