/** What requests see on an idle replica: nobody waits, prompts are computed alone, steps decode one sequence. */
import { meanWithin, type Strata } from './lengths.ts';
import { CHUNK_TOKENS, prefillTimes, stepMs, type Workload } from './workload.ts';

/** What requests see at some rate: a quantile of each. */
export interface PredictedLatency {
  ttftMs: number;
  tpotMs: number;
  e2eMs: number;
}

/** Of a sum, found by bisection. */
const BISECTIONS = 14;

export function idleLatency(workload: Workload, quantile: number): PredictedLatency {
  const { prompts, answers } = workload;
  const emptyMs = stepMs(workload, 0, 0);
  const prefillsMs = prefillTimes(workload, 0, 0).map((ms, i) => ms + emptyMs * Math.ceil(prompts.edges[i]! / CHUNK_TOKENS));
  const decodesMs = answers.edges.map((tokens) => tokens * stepMs(workload, 0, 1));
  const ttftMs = quantileOf(prompts, prefillsMs, quantile);
  // The sum of two quantiles is mostly beyond that of the sum; where it is not, the loop goes on beyond.
  let most = ttftMs + quantileOf(answers, decodesMs, quantile);
  while (shareOfSum(prompts, prefillsMs, answers, decodesMs, most) < quantile) most *= 1.2;
  let least = 0;
  for (let i = 0; i < BISECTIONS; i++) {
    const middle = (least + most) / 2;
    if (shareOfSum(prompts, prefillsMs, answers, decodesMs, middle) < quantile) least = middle;
    else most = middle;
  }
  return { ttftMs, tpotMs: stepMs(workload, 0, 1), e2eMs: most };
}

function quantileOf({ weights }: Strata, values: readonly number[], share: number): number {
  let below = 0;
  let i = 0;
  while (i < weights.length - 1 && below + weights[i]! < share) below += weights[i++]!;
  return values[i]! + (values[i + 1]! - values[i]!) * Math.min(1, (share - below) / weights[i]!);
}

/** Share of the sums of two independent values that are within a limit. */
function shareOfSum(a: Strata, valuesOfA: readonly number[], b: Strata, valuesOfB: readonly number[], limit: number): number {
  // The share of a within a time, integrated up to it.
  const integral = (ms: number) => (ms <= 0 ? 0 : ms - meanWithin(a, valuesOfA, ms));
  let sum = 0;
  for (let i = 0; i < b.weights.length; i++) {
    const most = limit - valuesOfB[i]!;
    const least = Math.min(limit - valuesOfB[i + 1]!, most - 1e-6);
    sum += (b.weights[i]! * (integral(most) - integral(least))) / (most - least);
  }
  return sum;
}
