/** What a profiler has to beat: a constant, a line through input lengths, and a classifier of five buckets like the paper's and S3's. */
import { quantile } from '../../core/domain/statistics.ts';
import { asPrompt, assess, type Example } from '../../core/profiler/evaluate.ts';
import type { TextPrior } from '../../core/profiler/text/prior.ts';
import { fitRidge, ridgeValue } from '../../core/profiler/text/ridge.ts';
import { createSketcher } from '../../core/profiler/text/sketch.ts';

export interface Baseline {
  spearman: number;
  maeTokens: number;
}

const lengths = (examples: readonly Example[]) => examples.map(({ outputTokens }) => outputTokens);

export function constantMedian(train: readonly Example[], test: readonly Example[]): Baseline {
  const median = quantile(lengths(train), 0.5);
  return judge(test, () => median);
}

/** Least squares of ln(output tokens) on ln(input characters). */
export function inputLengthRegression(train: readonly Example[], test: readonly Example[]): Baseline {
  const x = (example: Example) => Math.log(1 + example.instruction.length);
  const meanX = train.reduce((sum, example) => sum + x(example), 0) / train.length;
  const meanY = train.reduce((sum, { outputTokens }) => sum + Math.log(outputTokens), 0) / train.length;
  const covariance = train.reduce((sum, example) => sum + (x(example) - meanX) * (Math.log(example.outputTokens) - meanY), 0);
  const slope = covariance / train.reduce((sum, example) => sum + (x(example) - meanX) ** 2, 0);
  return judge(test, (example) => Math.exp(meanY + slope * (x(example) - meanX)));
}

const BUCKETS = 5;
const PENALTY = 1.5;

/**
 * One of five classes with a fifth of the training answers each, told by the same features as ours (one against the rest); the median of the
 * class is the prediction. Theirs are language models fine-tuned for it: what is compared is the form of the answer.
 */
export function fiveBuckets(train: readonly Example[], test: readonly Example[], prior: TextPrior): Baseline {
  const sketcher = createSketcher({ id: 'baseline', k0: 1, k1: 2 });
  const sketchOf = ({ instruction }: Example) => sketcher.sketch(asPrompt(instruction));
  const bounds = Array.from({ length: BUCKETS - 1 }, (_, i) => quantile(lengths(train), (i + 1) / BUCKETS));
  const bucketOf = (tokens: number) => bounds.filter((bound) => tokens >= bound).length;
  const sketches = train.map(sketchOf);
  const flat = { ...prior, weights: prior.weights.map(() => 0) };
  const classes = Array.from({ length: BUCKETS }, (_, bucket) => {
    const inside = train.map(({ outputTokens }) => (bucketOf(outputTokens) === bucket ? 1 : 0));
    const share = inside.reduce((a: number, b) => a + b, 0) / train.length;
    const rows = sketches.map((sketch, i) => ({ sketch, target: inside[i]! - share, weight: 1 }));
    const own = train.filter(({ outputTokens }) => bucketOf(outputTokens) === bucket);
    return { share, fit: fitRidge(rows, flat, PENALTY, true), tokens: quantile(lengths(own), 0.5) };
  });
  return judge(test, (example) => {
    const sketch = sketchOf(example);
    const scores = classes.map(({ share, fit }) => share + ridgeValue(fit, sketch));
    return classes[scores.indexOf(Math.max(...scores))]!.tokens;
  });
}

function judge(test: readonly Example[], predict: (example: Example) => number): Baseline {
  const predicted = test.map(predict).map((p50) => ({ p50, p90: p50 }));
  const { spearman, maeTokens } = assess(predicted, lengths(test));
  return { spearman, maeTokens };
}
