/**
 * Answers are longer or shorter than predicted. The median must be off, surely and by much: a long tail alone is not answered by
 * multiplying all lengths. Where the p90 surely covers too few as well, less of it suffices.
 *
 * Where most classes of a model are off the same way it is the model's answers that have changed: one correction for all of them.
 */

import type { CorrectionChange } from './correction.ts';
import { type Detector, percent, rounded, type Suspicion } from './detector.ts';
import type { AnswerEvidence, Evidence } from './evidence.ts';
import { lengthsSubject, type MonitorMemory, own } from './memory.ts';
import { isSurelyAbove, isSurelyBelow } from './significance.ts';

const LEAST_ANSWERS = 30;
/** Median of actual over predicted, either way. */
const OFF = 1.4;
const OFF_BEYOND_P90 = 1.2;
/** Longer than their p90 should be a tenth; a fifth is more than a learner on its way would leave. */
const BEYOND_P90 = 0.2;
/** Times more answers in a window than usual, or fewer. */
const UNSTEADY = 2;
/** At once; more takes a second step. */
const MOST_FACTOR = 4;

export const outputLength: Detector = {
  kind: 'output-length',
  looks: 2,
  leaves: 0.5,
  tolerated: Math.log(OFF_BEYOND_P90),

  detect({ answers }, memory) {
    const models = new Map<string, AnswerEvidence[]>();
    for (const a of answers)
      if (a.answers >= LEAST_ANSWERS && isSteady(a, memory)) models.set(a.model, [...(models.get(a.model) ?? []), a]);
    return [...models].flatMap(([model, classes]) => ofModel(model, classes));
  },

  deviation(change, evidence) {
    const concerned = concernedBy(change, evidence).filter((a) => a.answers >= LEAST_ANSWERS);
    return concerned.length === 0 ? null : Math.abs(Math.log(meanRatio(concerned)));
  },
};

/**
 * Where traffic has just fallen, what still ends is what is long; where it has just come, what is short. Neither says anything of the
 * lengths of all.
 */
function isSteady({ model, class: sloClass, answers, medianRatio }: AnswerEvidence, memory: MonitorMemory): boolean {
  const usual = own(memory.answers, lengthsSubject(model, sloClass)) ?? 0;
  return medianRatio > 1 ? answers >= usual / UNSTEADY : answers <= usual * UNSTEADY;
}

/** The answers that a change of lengths concerns. */
export function concernedBy(change: CorrectionChange, { answers }: Evidence): AnswerEvidence[] {
  if (change.kind !== 'recalibrate-lengths') return [];
  return answers.filter((a) => a.model === change.model && (change.class === null || a.class === change.class));
}

function ofModel(model: string, classes: AnswerEvidence[]): Suspicion[] {
  const longer = classes.filter(isLonger);
  const shorter = classes.filter(isShorter);
  const most = [longer, shorter].find((off) => off.length > 1 && off.length > classes.length / 2);
  if (most) return [suspicion(model, null, most)];
  return [...longer, ...shorter].map((a) => suspicion(model, a.class, [a]));
}

function isLonger({ answers, aboveP50, aboveP90, medianRatio }: AnswerEvidence): boolean {
  const isOff = medianRatio >= OFF || (medianRatio >= OFF_BEYOND_P90 && isSurelyAbove(aboveP90, BEYOND_P90, answers));
  return isOff && isSurelyAbove(aboveP50, 0.5, answers);
}

function isShorter({ answers, aboveP50, medianRatio }: AnswerEvidence): boolean {
  return medianRatio <= 1 / OFF && isSurelyBelow(aboveP50, 0.5, answers);
}

function suspicion(model: string, sloClass: string | null, off: AnswerEvidence[]): Suspicion {
  const subject = lengthsSubject(model, sloClass);
  const ratio = meanRatio(off);
  const answers = off.reduce((sum, a) => sum + a.answers, 0);
  const above = off.reduce((sum, a) => sum + a.aboveP90 * a.answers, 0) / answers;
  const scope = sloClass === null ? `; ${off.length} classes alike` : '';
  return {
    finding: {
      kind: 'output-length',
      subject,
      message: `${subject}: answers have ${rounded(ratio)} times their predicted median length, ${percent(above)} are longer than their predicted p90 (should be 10 %), of ${answers}${scope}`,
      figures: { medianRatio: rounded(ratio), aboveP90Share: rounded(above), answers },
    },
    change: {
      kind: 'recalibrate-lengths',
      model,
      class: sloClass,
      factor: rounded(Math.min(MOST_FACTOR, Math.max(1 / MOST_FACTOR, ratio))),
    },
  };
}

/** Geometric, by their numbers. */
function meanRatio(classes: readonly AnswerEvidence[]): number {
  const answers = classes.reduce((sum, a) => sum + a.answers, 0);
  return Math.exp(classes.reduce((sum, a) => sum + a.answers * Math.log(a.medianRatio), 0) / answers);
}
