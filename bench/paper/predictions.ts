/** What is said of each answer's length beforehand: by the profiler, by one that knows, or by a constant. */
import { learn, type StoredObservation } from '../../core/profiler/learn.ts';
import { predictOutput } from '../../core/profiler/predict.ts';
import { COLD_START_SNAPSHOT, type ProfilerSnapshot } from '../../core/profiler/snapshot.ts';
import { createRandom, normal } from '../../core/simulator/random.ts';
import type { Answer, Answers } from './answers.ts';

export const LENGTHS = ['none', 'learned', 'noisy', 'oracle'] as const;
export type Lengths = (typeof LENGTHS)[number];

export interface Predicted {
  p50: number;
  p90: number;
}

const FOLDS = 5;
/**
 * Of the logarithms of predicted and true lengths where they are drawn: rank correlation 0.5 to 0.6, as measured for gradient-boosted trees
 * over TF-IDF on these prompts. They are drawn around the truth, and their quantiles are those of the answers with the most similar
 * predictions, so that they are calibrated.
 */
const NOISY_CORRELATION = 0.62;
const NEIGHBOURS = 80;

/**
 * For each prompt, what is predicted of the model's answer. `learned` and `none` know other prompts' answers only: each fifth of the
 * prompts is predicted from the other four, `learned` by the profiler in production (which sees lengths, no text) after it has observed
 * the answers of all models, `none` as their median and p90 of that model, the same for all. `noisy` stands for a predictor that reads the
 * text, which there is none of here: `NOISY_CORRELATION`.
 */
export function predictAnswers(answers: Answers, model: string, lengths: Lengths): Predicted[] {
  const own = answers.byModel.get(model)!;
  if (lengths === 'oracle') return own.map(({ outputTokens }) => ({ p50: outputTokens, p90: outputTokens }));
  if (lengths === 'noisy') return noisy(own);
  const foldOf = foldsOf(own.length);
  const predictors = Array.from({ length: FOLDS }, (_, fold) => {
    const training = foldOf.flatMap((other, prompt) => (other === fold ? [] : prompt));
    return lengths === 'none' ? constant(training.map((prompt) => own[prompt]!.outputTokens)) : learned(answers, model, training);
  });
  return own.map((answer, prompt) => predictors[foldOf[prompt]!]!(answer));
}

function foldsOf(prompts: number): number[] {
  return shuffled(prompts, 'folds').reduce<number[]>((folds, prompt, place) => {
    folds[prompt] = place % FOLDS;
    return folds;
  }, new Array<number>(prompts));
}

function constant(training: number[]): () => Predicted {
  const sorted = [...training].sort((a, b) => a - b);
  const at = (q: number) => sorted[Math.min(sorted.length - 1, Math.floor(q * sorted.length))]!;
  const predicted = { p50: at(0.5), p90: at(0.9) };
  return () => predicted;
}

function learned(answers: Answers, model: string, training: number[]): (answer: Answer) => Predicted {
  const snapshot = train(answers, training);
  return ({ inputTokens }) => {
    const { p50, p90 } = predictOutput(snapshot, { ...UNSAID, model, inputTokens });
    return { p50, p90 };
  };
}

const UNSAID = { class: 'standard', tenant: 'default', maxTokens: null, streamed: false };
const trained = new Map<string, ProfilerSnapshot>();

function train(answers: Answers, training: number[]): ProfilerSnapshot {
  const key = `${answers.source}:${training.join()}`;
  const known = trained.get(key);
  if (known) return known;
  const observations: StoredObservation[] = [];
  for (const place of shuffled(training.length, 'training')) {
    for (const [model, its] of answers.byModel) observations.push(observation(observations.length + 1, model, its[training[place]!]!));
  }
  const { snapshot } = learn(COLD_START_SNAPSHOT, observations);
  trained.set(key, snapshot);
  return snapshot;
}

function observation(id: number, model: string, { inputTokens, outputTokens }: Answer): StoredObservation {
  return { ...UNSAID, id, requestId: String(id), model, inputTokens, outcome: 'ok', outputTokens };
}

/** The numbers below `count` in an order drawn by `seed`. */
export function shuffled(count: number, seed: string): number[] {
  const random = createRandom(seed);
  const order = Array.from({ length: count }, (_, i) => i);
  for (let i = count - 1; i > 0; i--) {
    const j = Math.floor(random() * (i + 1));
    [order[i], order[j]] = [order[j]!, order[i]!];
  }
  return order;
}

function noisy(own: readonly Answer[]): Predicted[] {
  const random = createRandom('noisy');
  const logs = own.map(({ outputTokens }) => Math.log(outputTokens));
  const mean = logs.reduce((a, b) => a + b, 0) / logs.length;
  const deviation = Math.sqrt(logs.reduce((a, b) => a + (b - mean) ** 2, 0) / logs.length);
  const unexplained = deviation * Math.sqrt(1 - NOISY_CORRELATION ** 2);
  const scores = logs.map((log) => NOISY_CORRELATION * (log - mean) + unexplained * normal(random));
  return scores.map((score) => {
    const nearest = own
      .map(({ outputTokens }, i) => ({ outputTokens, apart: Math.abs(scores[i]! - score) }))
      .sort((a, b) => a.apart - b.apart)
      .slice(0, NEIGHBOURS)
      .map(({ outputTokens }) => outputTokens)
      .sort((a, b) => a - b);
    return { p50: nearest[Math.floor(0.5 * NEIGHBOURS)]!, p90: nearest[Math.floor(0.9 * NEIGHBOURS)]! };
  });
}
