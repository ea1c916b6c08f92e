/** What several replicas of one shape agree on: one of them may be slow for reasons of its own. */
import { quantile } from '../domain/statistics.ts';
import { eachTerm, type StepTimeCoefficients } from '../domain/step-time.ts';
import { furthestRatio } from './shapes.ts';

/** Nearer than this at all loads that are compared is the same. */
const ALIKE = Math.log(1.12);
/** Of those that are told, this share has to be alike, and at least two. */
const MAJORITY = 2 / 3;

export function areAlike(a: StepTimeCoefficients, b: StepTimeCoefficients): boolean {
  return Math.abs(Math.log(furthestRatio(a, b))) <= ALIKE;
}

export interface Agreement {
  /** The median of those that are alike, coefficient by coefficient. */
  coefficients: StepTimeCoefficients;
  /** Of how many, and how many were told. */
  replicas: number;
  measured: number;
}

/** What most say, or the only one; null where there is none, or each says something else. */
export function agreement(told: readonly StepTimeCoefficients[]): Agreement | null {
  if (told.length === 0) return null;
  const middle = medianOf(told);
  const alike = told.filter((coefficients) => areAlike(coefficients, middle));
  if (alike.length < MAJORITY * told.length || (alike.length < 2 && told.length > 1)) return null;
  return { coefficients: medianOf(alike), replicas: alike.length, measured: told.length };
}

/**
 * What the profile of a shape is to be when another replica was calibrated: its own coefficients where it is the only one; the profile as it was where
 * that says the same, or where there is no majority; else what most say.
 * @param others of the replicas of the shape that serve
 */
export function profileWith(
  own: StepTimeCoefficients,
  others: readonly StepTimeCoefficients[],
  before: StepTimeCoefficients | null,
): StepTimeCoefficients {
  if (!before || others.length === 0) return own;
  const agreed = areAlike(own, before) ? null : agreement([own, ...others]);
  return agreed && !areAlike(agreed.coefficients, before) ? agreed.coefficients : before;
}

function medianOf(told: readonly StepTimeCoefficients[]): StepTimeCoefficients {
  return eachTerm((term) =>
    quantile(
      told.map((coefficients) => coefficients[term]),
      0.5,
    ),
  );
}
