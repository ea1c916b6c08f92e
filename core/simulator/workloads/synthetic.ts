/**
 * Named workloads from published statistics alone: what `shared/data` is for, on machines without it. One line each in the table; the
 * figures and their sources are in `published.ts`, `conversations.ts` and `workload.ts`. All carry the default mix of classes.
 */
import { z } from 'zod';
import { UellmError } from '../../domain/errors.ts';
import { parseInput } from '../../domain/validate.ts';
import { createRandom, lognormal, type Random } from '../random.ts';
import type { TraceRequest } from '../traces/rows.ts';
import { CHAT_TRACE, chatWorkload, DEFAULT_CLASSES, type WorkloadOptions } from '../workload.ts';
import { gammaGaps, steadyArrivals } from './arrivals.ts';
import { conversationWorkload, MOONCAKE_TRACE } from './conversations.ts';
import { fromQuantiles, pickByShare } from './distributions.ts';
import type { RequestLengths } from './lengths.ts';
import { BURSTS, CODE_TRACE, DAY, REASONING_SERVICE, SUMMARIES } from './published.ts';

export interface SyntheticOptions {
  seed: number | string;
  requests: number;
  /** Mean rate; the workload's own where absent. */
  requestsPerSecond?: number | undefined;
}

export interface SyntheticWorkload {
  name: string;
  /** One line. */
  summary: string;
  /** As published. */
  requestsPerSecond: number;
  generate(options: SyntheticOptions & { requestsPerSecond: number }): TraceRequest[];
}

export const SYNTHETIC_WORKLOADS: readonly SyntheticWorkload[] = [
  {
    name: 'chat',
    summary: 'Azure 2023 conversations: in 1,155 and out 211 tokens in the mean, a rate that wanders',
    requestsPerSecond: CHAT_TRACE.requestsPerSecond,
    generate: (options) => chats(options),
  },
  {
    name: 'code',
    summary: 'Azure 2023 code completion: in 2,048 and out 28 tokens in the mean, half the answers at most 13',
    requestsPerSecond: CODE_TRACE.requestsPerSecond,
    generate: (options) => steady(options, 1, codeLengths),
  },
  {
    name: 'mooncake-chat',
    summary: "Kimi's long conversations: in 12,035 and out 343 tokens in the mean, 37 % of the prompts' blocks repeat",
    requestsPerSecond: MOONCAKE_TRACE.requestsPerSecond,
    generate: (options) => conversationWorkload({ ...options, drawClass }),
  },
  {
    name: 'reasoning',
    summary: 'A DeepSeek-R1 service: in 1,268 and out 1,527 tokens in the mean, one answer in twenty beyond 5,700',
    requestsPerSecond: REASONING_SERVICE.requestsPerSecond,
    generate: (options) => steady(options, REASONING_SERVICE.gapVariation, reasoningLengths),
  },
  {
    name: 'summarise',
    summary: 'Summaries of arXiv papers: in 2,588 and out 291 tokens in the mean, Poisson arrivals',
    // The source has no times.
    requestsPerSecond: 2,
    generate: (options) => steady(options, 1, summaryLengths),
  },
  {
    name: 'bursty',
    summary: 'Chats that come in bursts as in BurstGPT: gamma gaps with a CV of 3',
    requestsPerSecond: CHAT_TRACE.requestsPerSecond,
    generate: (options) => {
      const at = steadyArrivals(
        createRandom(`${options.seed}:bursts`),
        gammaGaps(BURSTS.gapVariation),
        options.requests,
        options.requestsPerSecond,
      );
      return chats(options).map((request, i) => ({ ...request, arrivalMs: at[i]! }));
    },
  },
  {
    name: 'diurnal',
    summary: 'Chats over a day that is as long as the stream: four times as many at its peak as at its trough',
    requestsPerSecond: CHAT_TRACE.requestsPerSecond,
    generate: (options) => chats(options, { ...DAY, periodSeconds: options.requests / options.requestsPerSecond }),
  },
];

const optionsSchema = z.object({
  requests: z.number().int().min(1).max(10_000_000),
  requestsPerSecond: z.number().positive().max(1e6).optional(),
});

/**
 * By arrival; the same name and options give the same requests.
 * @throws invalid-input that names the workloads, or the option
 */
export function syntheticWorkload(name: string, { seed, ...options }: SyntheticOptions): TraceRequest[] {
  const found = SYNTHETIC_WORKLOADS.find((workload) => workload.name === name);
  if (!found) {
    const allowed = `one of ${SYNTHETIC_WORKLOADS.map((workload) => workload.name).join(', ')}`;
    throw new UellmError({ kind: 'invalid-input', what: 'workload', issues: [{ field: 'name', given: JSON.stringify(name), allowed }] });
  }
  const { requests, requestsPerSecond = found.requestsPerSecond } = parseInput(optionsSchema, options, `workload ${name}`);
  return found.generate({ seed, requests, requestsPerSecond });
}

type Generate = Parameters<SyntheticWorkload['generate']>[0];

function chats({ seed, requests, requestsPerSecond }: Generate, diurnal?: NonNullable<WorkloadOptions['diurnal']>): TraceRequest[] {
  const stream = chatWorkload({ seed, requestsPerSecond, ...(diurnal && { diurnal }) });
  return Array.from({ length: requests }, () => stream.next().value);
}

function steady({ seed, requests, requestsPerSecond }: Generate, cv: number, draw: (random: Random) => RequestLengths): TraceRequest[] {
  const lengths = createRandom(`${seed}:lengths`);
  const classes = createRandom(`${seed}:classes`);
  return steadyArrivals(createRandom(`${seed}:arrivals`), gammaGaps(cv), requests, requestsPerSecond).map((arrivalMs) => ({
    arrivalMs,
    ...draw(lengths),
    class: drawClass(classes),
  }));
}

const drawClass = (random: Random) => pickByShare(random, DEFAULT_CLASSES).name;

function codeLengths(random: Random): RequestLengths {
  const draw = ({ median, sigma, most }: { median: number; sigma: number; most: number }) =>
    Math.max(1, Math.min(most, Math.round(lognormal(random, median, sigma))));
  return { inputTokens: draw(CODE_TRACE.input), outputTokens: draw(CODE_TRACE.output) };
}

function reasoningLengths(random: Random): RequestLengths {
  return { inputTokens: fromQuantiles(random, REASONING_SERVICE.input), outputTokens: fromQuantiles(random, REASONING_SERVICE.output) };
}

function summaryLengths(random: Random): RequestLengths {
  const { input, output } = pickByShare(random, SUMMARIES.groups);
  const outputTokens = fromQuantiles(random, output);
  return { inputTokens: Math.min(fromQuantiles(random, input), SUMMARIES.mostTokens - outputTokens), outputTokens };
}
