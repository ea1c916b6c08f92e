/** What is said of each answer's length beforehand: by the profiler, by one that knows, or by a constant. */
import { type Example, ExamplePredictor } from '../../core/profiler/evaluate.ts';
import type { TextPrior } from '../../core/profiler/text/prior.ts';
import { createRandom, normal } from '../../core/simulator/random.ts';
import { priorOf } from '../support/prior.ts';
import { type Answer, type Answers, CHARACTERS_PER_TOKEN } from './answers.ts';

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
 * prompts is predicted from the other four, `learned` by the profiler in production after it has observed
 * the answers of all models, `none` as their median and p90 of that model, the same for all. `noisy` stands for a predictor that reads the
 * text with larger means than ours: `NOISY_CORRELATION`.
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
  const predictor = train(answers, training);
  return (answer) => {
    const { p50, p90 } = predictor.predict({ ...exampleOf(answer), model });
    return { p50, p90 };
  };
}

const trained = new Map<string, ExamplePredictor>();

/** Learns the answers of all models to the training prompts, and begins with what would have been published of those prompts alone. */
function train(answers: Answers, training: number[]): ExamplePredictor {
  const key = `${answers.source}:${training.join()}`;
  const known = trained.get(key);
  if (known) return known;
  const text = answers.source !== 'synthetic';
  const predictor = new ExamplePredictor({ text, prior: text ? priorOfPrompts(answers, training) : undefined });
  const order = shuffled(training.length, 'training');
  predictor.learn(order.flatMap((place) => [...answers.byModel].map(([model, its]) => ({ ...exampleOf(its[training[place]!]!), model }))));
  predictor.settle();
  trained.set(key, predictor);
  return predictor;
}

function priorOfPrompts({ byModel }: Answers, training: readonly number[]): TextPrior {
  const models = [...byModel.values()];
  return priorOf(
    training.map((prompt) => models[0]![prompt]!.instruction),
    models.map((its) => training.map((prompt) => its[prompt]!.outputTokens)),
  );
}

/** Without a text a filler of its length stands for it, which is not looked at. */
function exampleOf({ instruction, inputTokens, outputTokens }: Answer): Example {
  return { instruction: instruction || '.'.repeat(Math.round(inputTokens * CHARACTERS_PER_TOKEN)), outputTokens };
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
