import { expect, it } from 'vitest';
import type { Predictable } from './predictors.ts';
import { recalibratedPredictor } from './recalibrated-predictor.ts';

const ofClass = (sloClass: string, outputTokens = 600): Predictable => ({ class: sloClass, inputTokens: 1000, outputTokens });

function recording() {
  const observed: Predictable[] = [];
  const inner = { predict: () => ({ p50: 100, p90: 300 }), observe: (request: Predictable) => void observed.push(request) };
  return { observed, predictor: recalibratedPredictor(inner) };
}

it('multiplies the lengths of a class, or of all, and goes on from there', () => {
  const { predictor } = recording();
  predictor.recalibrate('chat', 2);
  predictor.recalibrate(null, 3);
  expect(predictor.predict(ofClass('chat'))).toEqual({ p50: 600, p90: 1800 });
  expect(predictor.predict(ofClass('batch'))).toEqual({ p50: 300, p90: 900 });
  predictor.recalibrate('chat', 1 / 2);
  expect(predictor.predict(ofClass('chat'))).toEqual({ p50: 300, p90: 900 });
});

it('does not let the learner learn the same once more: it hears of lengths in its own units', () => {
  const { predictor, observed } = recording();
  predictor.recalibrate('chat', 3);
  predictor.observe(ofClass('chat'), 0);
  predictor.observe(ofClass('batch'), 0);
  expect(observed.map((o) => o.outputTokens)).toEqual([200, 600]);
});

it('never predicts less than a token', () => {
  const { predictor } = recording();
  predictor.recalibrate(null, 1e-6);
  expect(predictor.predict(ofClass('chat'))).toEqual({ p50: 1, p90: 1 });
});
