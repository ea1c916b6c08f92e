/** A predictor whose lengths can be multiplied at once, and which learns on from there. */
import type { OutputPredictor } from './predictors.ts';

export interface RecalibratedPredictor extends OutputPredictor {
  /** Lengths of a class, or of all, become so many times as long. */
  recalibrate(sloClass: string | null, factor: number): void;
}

/**
 * The one given learns in units of its own: what it predicts is multiplied, what it observes divided. For one that learns the logarithm of
 * lengths that is what adding to its constant would be.
 */
export function recalibratedPredictor(inner: OutputPredictor): RecalibratedPredictor {
  let ofAll = 1;
  const ofClass = new Map<string, number>();
  const factorOf = (sloClass: string) => ofAll * (ofClass.get(sloClass) ?? 1);
  return {
    predict(request) {
      const factor = factorOf(request.class);
      const { p50, p90 } = inner.predict(request);
      return { p50: Math.max(1, p50 * factor), p90: Math.max(1, p90 * factor) };
    },
    observe(request, nowMs) {
      const { class: sloClass, inputTokens, outputTokens } = request;
      inner.observe({ class: sloClass, inputTokens, outputTokens: Math.max(1, outputTokens / factorOf(sloClass)) }, nowMs);
    },
    recalibrate(sloClass, factor) {
      if (sloClass === null) ofAll *= factor;
      else ofClass.set(sloClass, (ofClass.get(sloClass) ?? 1) * factor);
    },
  };
}
