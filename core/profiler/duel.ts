/**
 * Champion and challenger: is what was learned since the last publication better than what was published? Both predict answers that neither
 * has seen; their losses are compared.
 */
import { lesson, type StoredObservation } from './learn.ts';
import { predictOutput } from './predict.ts';
import type { ProfilerSnapshot } from './snapshot.ts';

export interface Duel {
  /** Answers that both predicted before either saw them. */
  answers: number;
  /** Sums over them of the pinball losses at p50 and p90, in ln(tokens). */
  championLoss: number;
  challengerLoss: number;
}

export const NO_DUEL: Duel = { answers: 0, championLoss: 0, challengerLoss: 0 };

/** Fewer answers decide nothing. */
export const LEAST_ANSWERS = 16;
/** So much worse, the challenger may be so by chance. */
const TOLERANCE = 1.01;
/** So much worse over `CLEAR_ANSWERS`, what it learned is not worth keeping. */
const CLEARLY_WORSE = 1.1;
const CLEAR_ANSWERS = 200;

/** Adds what a batch says, before anything is learned from it. */
export function judge(duel: Duel, champion: ProfilerSnapshot, challenger: ProfilerSnapshot, batch: readonly StoredObservation[]): Duel {
  let { answers, championLoss, challengerLoss } = duel;
  for (const observation of batch) {
    const learned = lesson(observation);
    if (typeof learned === 'string' || learned.lowerBound) continue;
    answers++;
    championLoss += lossOf(champion, observation, learned.outputTokens);
    challengerLoss += lossOf(challenger, observation, learned.outputTokens);
  }
  return { answers, championLoss, challengerLoss };
}

function lossOf(snapshot: ProfilerSnapshot, observation: StoredObservation, outputTokens: number): number {
  const { p50, p90 } = predictOutput(snapshot, observation);
  return pinball(outputTokens, p50, 0.5) + pinball(outputTokens, p90, 0.9);
}

/** The loss whose least expectation is at the quantile. */
function pinball(actual: number, predicted: number, share: number): number {
  const over = Math.log(actual / predicted);
  return over >= 0 ? share * over : (share - 1) * over;
}

export type DuelResult = 'publish' | 'keep-champion' | 'start-over';

/**
 * Answers that all stay otherwise, were it fifty times as long, are published: the old predictions would be wrong for every request, and a
 * tenant that alone is answered so has a level of its own. What is held back are answers that were so for a while.
 */
export function resultOf({ answers, championLoss, challengerLoss }: Duel): DuelResult {
  if (answers < LEAST_ANSWERS || challengerLoss <= championLoss * TOLERANCE) return 'publish';
  return answers >= CLEAR_ANSWERS && challengerLoss > championLoss * CLEARLY_WORSE ? 'start-over' : 'keep-champion';
}

/** For people: why a snapshot was published. */
export function reasonOf({ answers, championLoss, challengerLoss }: Duel, champion: number): string {
  if (answers < LEAST_ANSWERS || championLoss === 0) return 'learned';
  const percent = 100 * (1 - challengerLoss / championLoss);
  return `learned: loss ${Math.abs(percent).toFixed(1)} % ${percent < 0 ? 'above' : 'below'} version ${champion}'s on ${answers} answers`;
}
