/** How well answers' lengths are predicted: learned from some prompts, judged on others that were not seen. */
import { mean, quantile } from '../domain/statistics.ts';
import { bucketOf } from './features.ts';
import type { StoredObservation } from './learn.ts';
import { type OutputPrediction, predictOutput } from './predict.ts';
import { COLD_START_SNAPSHOT, type ProfilerSnapshot } from './snapshot.ts';
import type { TextPrior } from './text/prior.ts';
import { createSketcher, type PromptParts } from './text/sketch.ts';
import { textHeadFrom } from './text/text-head.ts';
import { Training } from './training.ts';

/** One prompt and how long its answer was. */
export interface Example {
  instruction: string;
  outputTokens: number;
  /** Whose answer; one and the same where absent. */
  model?: string;
  class?: string;
}

/** English prose by common tokenizers. */
const CHARACTERS_PER_TOKEN = 4.2;
/** Answers come in batches, as from gateways. */
export const BATCH = 16;
/** Predictions made before the first that is timed. */
const WARM_UP = 2000;
/** Hashes of prompts that are only evaluated are nobody's secret. */
const KEY = { id: 'evaluation', k0: 0x243f6a88, k1: 0x13198a2e };

/** The profiler at work on examples, without gateway and database. */
export class ExamplePredictor {
  readonly #sketcher = createSketcher(KEY);
  readonly #text: boolean;
  readonly #training: Training;
  #id = 0;

  /** @param options.prior instead of the published one; `text: false` looks at lengths alone */
  constructor({ prior, text = true }: { prior?: TextPrior | undefined; text?: boolean } = {}) {
    this.#text = text;
    this.#training = new Training(startingFrom(prior), prior);
  }

  predict(example: Example): OutputPrediction {
    return predictOutput(this.#training.snapshot, this.#request(example));
  }

  /** Learns from a batch, in its order. */
  learn(examples: readonly Example[]): void {
    const observations = examples.map((example): StoredObservation => {
      const id = ++this.#id;
      return { ...this.#request(example), id, requestId: String(id), outcome: 'ok', outputTokens: example.outputTokens };
    });
    for (let i = 0; i < observations.length; i += BATCH) this.#training.observe(observations.slice(i, i + BATCH));
  }

  /** Fits the text part to everything so far. */
  settle(): void {
    this.#training.settle();
  }

  #request({ instruction, model = 'evaluated', class: name = 'standard' }: Example) {
    return {
      model,
      class: name,
      tenant: 'default',
      inputTokens: Math.max(1, Math.round(instruction.length / CHARACTERS_PER_TOKEN)),
      maxTokens: null,
      streamed: true,
      text: this.#text ? this.#sketcher.sketch(asPrompt(instruction)) : null,
    };
  }
}

function startingFrom(prior: TextPrior | undefined): ProfilerSnapshot {
  if (!prior) return COLD_START_SNAPSHOT;
  return { ...COLD_START_SNAPSHOT, shared: { ...COLD_START_SNAPSHOT.shared, text: textHeadFrom(prior) } };
}

/** A prompt that is all there is of a request. */
export function asPrompt(prompt: string): PromptParts {
  return { prompt, system: '', turn: 0, earlierAnswerCharacters: 0, temperature: null, tools: false };
}

export interface Evaluation {
  requests: number;
  /** Rank correlation of predicted medians and actual lengths, -1 to 1. */
  spearman: number;
  maeTokens: number;
  /** Mean absolute error of predicting the median of the training answers for everyone. */
  maeConstantMedianTokens: number;
  /** Share of answers no longer than their predicted p90. */
  coverage90: number;
  /** Features and prediction together, microseconds, in a process that has made some before. */
  predictMicros: { p50: number; p99: number };
}

/**
 * Learns from `train`, then predicts each of `test` in turn.
 * @param input.online learn from each batch of test answers after it was predicted
 * @param input.nowMicros a clock, microseconds
 */
export function evaluate(input: {
  train: readonly Example[];
  test: readonly Example[];
  online: boolean;
  nowMicros: () => number;
  prior?: TextPrior;
}): Evaluation {
  const { train, test, online, nowMicros, prior } = input;
  const predictor = new ExamplePredictor({ prior });
  predictor.learn(inNoOrder(train));
  predictor.settle();
  // A gateway runs for days: what is measured is not how long compiling takes.
  for (let i = 0; i < WARM_UP; i++) predictor.predict(train[i % train.length]!);
  const micros: number[] = [];
  const predicted = test.map((example, i) => {
    const from = nowMicros();
    const prediction = predictor.predict(example);
    micros.push(nowMicros() - from);
    if (online && (i + 1) % BATCH === 0) predictor.learn(test.slice(i + 1 - BATCH, i + 1));
    return prediction;
  });
  const actual = test.map(({ outputTokens }) => outputTokens);
  const constant = quantile(
    train.map(({ outputTokens }) => outputTokens),
    0.5,
  );
  const { spearman, maeTokens, coverage90 } = assess(predicted, actual);
  return {
    requests: test.length,
    spearman,
    maeTokens,
    maeConstantMedianTokens: mean(actual.map((tokens) => Math.abs(tokens - constant))),
    coverage90,
    predictMicros: { p50: quantile(micros, 0.5), p99: quantile(micros, 0.99) },
  };
}

/** Files are sorted by source, as a rule; what is learned last would count as what is asked now. The same order every time. */
function inNoOrder(examples: readonly Example[]): Example[] {
  const place = (i: number) => bucketOf(String(i), 0x7fff_ffff);
  return examples
    .map((example, i) => ({ example, at: place(i) }))
    .sort((a, b) => a.at - b.at)
    .map(({ example }) => example);
}

/** Predictions beside what came. */
export function assess(predicted: readonly Pick<OutputPrediction, 'p50' | 'p90'>[], actual: readonly number[]) {
  return {
    spearman: spearman(
      predicted.map(({ p50 }) => p50),
      actual,
    ),
    maeTokens: mean(predicted.map(({ p50 }, i) => Math.abs(p50 - actual[i]!))),
    coverage90: mean(predicted.map(({ p90 }, i) => (actual[i]! <= p90 ? 1 : 0))),
  };
}

/** Rank correlation; ties share their mean rank. 0 where one side does not vary. */
export function spearman(a: readonly number[], b: readonly number[]): number {
  const ranksOfA = ranks(a);
  const ranksOfB = ranks(b);
  const middle = (a.length - 1) / 2;
  let product = 0;
  let squaresOfA = 0;
  let squaresOfB = 0;
  for (let i = 0; i < a.length; i++) {
    const fromA = ranksOfA[i]! - middle;
    const fromB = ranksOfB[i]! - middle;
    product += fromA * fromB;
    squaresOfA += fromA ** 2;
    squaresOfB += fromB ** 2;
  }
  return squaresOfA === 0 || squaresOfB === 0 ? 0 : product / Math.sqrt(squaresOfA * squaresOfB);
}

function ranks(values: readonly number[]): number[] {
  const order = values.map((_, i) => i).sort((i, j) => values[i]! - values[j]!);
  const result = new Array<number>(values.length);
  for (let from = 0; from < order.length; ) {
    let to = from + 1;
    while (to < order.length && values[order[to]!] === values[order[from]!]) to++;
    for (let i = from; i < to; i++) result[order[i]!] = (from + to - 1) / 2;
    from = to;
  }
  return result;
}
