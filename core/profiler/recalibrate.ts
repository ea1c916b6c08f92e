/** Corrects predicted lengths at once, where learning one answer at a time would take too long. */
import { classFeature, INPUT_FEATURES } from './features.ts';
import { copyOf, headFrom, headOf, loosenLevel, type ProfilerSnapshot } from './snapshot.ts';

export interface Recalibration {
  model: string;
  /** null for all classes. */
  class: string | null;
  /** Lengths are to be predicted so many times as long; above 0. */
  factor: number;
}

/**
 * Multiplies a model's predicted lengths, and lets its level move on quickly: the factor was a guess from few answers.
 * `snapshot` is left as it is.
 */
export function recalibrate(snapshot: ProfilerSnapshot, { model, class: name, factor }: Recalibration): ProfilerSnapshot {
  const known = Object.hasOwn(snapshot.models, model);
  const head = known ? copyOf(headOf(snapshot, model)) : headFrom(snapshot.shared);
  const shift = Math.log(factor);
  // The input's features sum to 1 for every request, the class's features are 1 for its requests alone.
  if (name === null) for (let i = 0; i < INPUT_FEATURES; i++) head.weights[i]! += shift;
  else head.weights[classFeature(name)]! += shift;
  const changes = head.drift?.changes ?? 0;
  loosenLevel(head.covariance);
  const recalibrated = { ...head, drift: { longer: 0, shorter: 0, sinceChange: 0, changes } };
  return { ...snapshot, models: { ...snapshot.models, [model]: recalibrated } };
}
