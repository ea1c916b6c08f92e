/** The flags of `uellm simulate`, checked: all that is wrong with a command line is told at once. */
import { z } from 'zod';
import { UellmError } from '../../core/domain/errors.ts';
import { DEFAULT_MEMORY_UTILISATION } from '../../core/domain/memory.ts';
import { DEFAULT_STEP_OVERHEAD_MS } from '../../core/domain/step-time.ts';
import { fieldIssues } from '../../core/domain/validate.ts';
import { DEFAULT_POLICY, SCHEDULER_POLICIES } from '../../core/scheduler/registry.ts';
import { DEFAULT_MAX_BATCHED_TOKENS, DEFAULT_MAX_SEQUENCES } from '../../core/simulator/engine-state.ts';
import { PREDICTORS } from '../../core/simulator/predictors.ts';
import { SIMULATION_DEFAULTS } from '../../core/simulator/simulation.ts';
import { TRACE_FORMATS } from '../../core/simulator/traces/trace.ts';
import { SYNTHETIC_WORKLOADS } from '../../core/simulator/workloads/synthetic.ts';

const policies = SCHEDULER_POLICIES.map((policy) => policy.name);
const workloads = SYNTHETIC_WORKLOADS.map((workload) => workload.name);
export const DEFAULT_REQUESTS = 10_000;

/** Commander has texts; what is no number stays one, and the schema says that it is none. */
const toNumber = (text: unknown) => (typeof text === 'string' && text.trim() !== '' && !Number.isNaN(Number(text)) ? Number(text) : text);
const number = <S extends z.ZodNumber>(schema: S) => z.preprocess(toNumber, schema);
const list = <S extends z.ZodType>(item: S) => z.array(item).transform((items) => [...new Set(items)]);
/** Slower, and times grow so large that they cannot be told apart to a microsecond. */
const SMALLEST_RATE_SCALE = 1e-6;
/** Figures beyond are mistakes, and steps of minutes would be simulated for hours. */
const milliseconds = (most: number) => number(z.number().nonnegative().max(most));
const MOST_STEP_MS = 10_000;
const A_DAY_MS = 86_400_000;

const flagsSchema = z
  .object({
    trace: z.string().min(1).optional(),
    format: z.enum(TRACE_FORMATS).optional(),
    workload: z.enum(workloads).optional(),
    requests: number(z.number().int().min(1).max(10_000_000)).optional(),
    rate: number(z.number().positive().max(1e6)).optional(),
    fleet: z.string().min(1),
    slo: z.string().min(1),
    accelerators: z.string().min(1).optional(),
    policy: list(z.enum(policies)).default([DEFAULT_POLICY]),
    predictor: list(z.enum(PREDICTORS)).default(['learned']),
    rateScale: list(number(z.number().min(SMALLEST_RATE_SCALE).max(1e6))).default([1]),
    limit: number(z.number().int().min(1)).optional(),
    seed: number(z.number().int().min(0)).default(1),
    seeds: number(z.number().int().min(1).max(1000)).default(1),
    search: list(number(z.number().positive().max(1))).optional(),
    model: z.string().min(1).optional(),
    report: z.string().min(1).optional(),
    stepOverheadMs: milliseconds(MOST_STEP_MS).default(DEFAULT_STEP_OVERHEAD_MS),
    chunkTokens: number(z.number().int().min(1).max(1_000_000)).default(DEFAULT_MAX_BATCHED_TOKENS),
    maxSequences: number(z.number().int().min(1).max(100_000)).default(DEFAULT_MAX_SEQUENCES),
    memory: number(z.number().positive().max(1)).default(DEFAULT_MEMORY_UTILISATION),
    engineStateAgeMs: milliseconds(A_DAY_MS).default(SIMULATION_DEFAULTS.engineStateAgeMs),
    streamDelayMs: milliseconds(A_DAY_MS).default(SIMULATION_DEFAULTS.streamDelayMs),
    stepNoise: number(z.number().min(0).max(1)).default(SIMULATION_DEFAULTS.stepNoise),
    modelFactor: number(z.number().positive().max(1000)).default(SIMULATION_DEFAULTS.modelFactor),
    prefixCaching: z.boolean().default(true),
    scheduling: z.enum(['fcfs', 'priority']).default('fcfs'),
  })
  .superRefine((flags, { addIssue }) => {
    const refuse = (flag: keyof typeof flags, message: string) => addIssue({ code: 'custom', path: [flag], message });
    if (flags.trace === undefined && flags.workload === undefined)
      refuse('trace', `a file, or --workload with one of ${workloads.join(', ')}`);
    if (flags.trace !== undefined && flags.workload !== undefined) refuse('workload', 'absent beside --trace');
    if (flags.workload === undefined) {
      for (const flag of ['requests', 'rate'] as const) if (flags[flag] !== undefined) refuse(flag, 'absent without --workload');
    } else if (flags.format !== undefined) refuse('format', 'absent without --trace');
    if (!Number.isSafeInteger(flags.seed + flags.seeds - 1))
      refuse('seed', `at most ${Number.MAX_SAFE_INTEGER} with the last of the seeds`);
    if (flags.search && flags.rateScale.length > 1) refuse('rateScale', 'a single rate beside --search: where it begins to look');
  });

export type SimulateFlags = z.infer<typeof flagsSchema>;

/** Flags that take several values, with commas between them; and what the word `all` stands for, where there is an end of them. */
const LISTS = { policy: policies, predictor: PREDICTORS, rateScale: null, search: null };

/** @param texts what commander has: texts, and `prefixCaching` @throws invalid-input that names the flags */
export function parseFlags(texts: object): SimulateFlags {
  const given: Record<string, unknown> = { ...texts };
  for (const [flag, all] of Object.entries(LISTS)) {
    const text = given[flag];
    if (typeof text !== 'string') continue;
    const words = text.split(',').map((word) => word.trim());
    given[flag] = words.flatMap((word) => (all && word === 'all' ? all : [word]));
  }
  const result = flagsSchema.safeParse(given);
  if (result.success) return result.data;
  const issues = fieldIssues(result.error, given).map((issue) => ({ ...issue, field: flagName(issue.field) }));
  throw new UellmError({ kind: 'invalid-input', what: 'the command line', issues });
}

/** `rateScale[0]` is `--rate-scale`. */
function flagName(field: string): string {
  return `--${field.replace(/\[.*$/, '').replaceAll(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)}`;
}
