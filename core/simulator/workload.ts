/**
 * Streams of chat requests in the shape of a production trace, from its published statistics alone.
 *
 * Source of all constants: Azure LLM inference trace 2023, conversation (Azure/AzurePublicDataset, CC-BY-4.0): 19,366 requests in an hour.
 * Lengths are lognormal with the mean and variance of the trace. Arrivals are a gamma process whose rate wanders: over one second counts
 * vary little more than a Poisson process's would, over a minute sixteen times as much, as in the trace.
 */
import { createRandom, lognormal, normal, type Random } from './random.ts';
import { gamma, pickByShare } from './workloads/distributions.ts';

export interface WorkloadRequest {
  /** Since the start of the stream. */
  arrivalMs: number;
  inputTokens: number;
  outputTokens: number;
  class: string;
}

export interface WorkloadOptions {
  seed: number | string;
  /** Mean rate; the trace's where absent. */
  requestsPerSecond?: number;
  /** Shares are relative to their sum. */
  classes?: readonly { name: string; share: number }[];
  /** A sine on the rate: `amplitude` 0.5 swings between half and one and a half times the mean. */
  diurnal?: { amplitude: number; periodSeconds: number };
}

export const CHAT_TRACE = {
  requestsPerSecond: 5.53,
  input: { mean: 1155, deviation: 1109, most: 14_050 },
  output: { mean: 211, deviation: 163, most: 1000 },
  /** Coefficient of variation of the gaps at a steady rate. */
  gapVariation: 1.05,
  /** The rate's logarithm: an Ornstein-Uhlenbeck process of this deviation and correlation time. */
  wander: { deviation: 0.22, seconds: 300 },
} as const;

export const DEFAULT_CLASSES = [
  { name: 'interactive', share: 0.6 },
  { name: 'standard', share: 0.25 },
  { name: 'batch', share: 0.15 },
] as const;

/** Endless, in order of arrival; the same seed and options give the same stream. */
export function* chatWorkload(options: WorkloadOptions): Generator<WorkloadRequest, never> {
  const { seed, requestsPerSecond = CHAT_TRACE.requestsPerSecond, classes = DEFAULT_CLASSES, diurnal } = options;
  // A generator each, so that another class mix leaves lengths and arrivals as they were.
  const arrivals = createRandom(`${seed}:arrivals`);
  const lengths = createRandom(`${seed}:lengths`);
  const mix = createRandom(`${seed}:classes`);
  const wander = createWander(arrivals);
  let seconds = 0;
  for (;;) {
    const swing = diurnal ? 1 + diurnal.amplitude * Math.sin((2 * Math.PI * seconds) / diurnal.periodSeconds) : 1;
    // At the trough of a full swing the rate would be 0 and the next request never come.
    const rate = requestsPerSecond * Math.max(0.02, swing) * wander.factor();
    const gap = gamma(arrivals, 1 / CHAT_TRACE.gapVariation ** 2) * CHAT_TRACE.gapVariation ** 2;
    seconds += gap / rate;
    wander.advance(gap / rate);
    yield {
      arrivalMs: seconds * 1000,
      inputTokens: length(lengths, CHAT_TRACE.input),
      outputTokens: length(lengths, CHAT_TRACE.output),
      class: pickByShare(mix, classes).name,
    };
  }
}

/** A lognormal with that mean and deviation, in whole tokens of at least 1. */
function length(random: Random, { mean, deviation, most }: { mean: number; deviation: number; most: number }): number {
  const variance = Math.log(1 + (deviation / mean) ** 2);
  const drawn = Math.round(lognormal(random, mean * Math.exp(-variance / 2), Math.sqrt(variance)));
  return Math.max(1, Math.min(most, drawn));
}

function createWander(random: Random): { factor(): number; advance(seconds: number): void } {
  const { deviation, seconds: correlation } = CHAT_TRACE.wander;
  let x = deviation * normal(random);
  return {
    // Its mean over time is 1.
    factor: () => Math.exp(x - deviation ** 2 / 2),
    advance(seconds) {
      const kept = Math.exp(-seconds / correlation);
      x = x * kept + deviation * Math.sqrt(1 - kept * kept) * normal(random);
    },
  };
}
