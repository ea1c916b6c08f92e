/** What a simulated engine takes from an `EngineSpec`, with vLLM's flag names where vLLM has the flag. */
import { z } from 'zod';
import { stepTimeCoefficientsSchema } from '../../core/domain/step-time.ts';
import { parseInput } from '../../core/domain/validate.ts';
import { DEFAULT_MAX_BATCHED_TOKENS, type EngineConfig } from '../../core/simulator/engine-state.ts';
import { BLOCK_TOKENS } from '../../core/simulator/kv-blocks.ts';

/** Seconds between the polite end of an engine and the end of its streams. */
export const DEFAULT_GRACE_SECONDS = 20;

/** Flags of a deployment may come as text. */
const numeric = (schema: z.ZodNumber) =>
  z.preprocess((given) => (typeof given === 'string' && given.trim() !== '' ? Number(given) : given), schema);
const count = numeric(z.number().int().min(1).max(10_000_000));

const argsSchema = z.strictObject({
  'max-num-seqs': count.optional(),
  'max-num-batched-tokens': count.default(DEFAULT_MAX_BATCHED_TOKENS),
  'max-model-len': count.optional(),
  /** Already in the spec's `kvCacheTokens`. */
  'gpu-memory-utilization': numeric(z.number().gt(0).max(1)).optional(),
  /** `pooling`: it embeds, and generates nothing. */
  runner: z.enum(['auto', 'generate', 'pooling']).default('auto'),
  'scheduling-policy': z.enum(['fcfs', 'priority']).default('fcfs'),
  'shutdown-timeout': numeric(z.number().min(0).max(86_400)).default(DEFAULT_GRACE_SECONDS),
  /** Of output lengths, texts and step noise. */
  'simulated-seed': numeric(z.number().int()).default(0),
  /** Imitated time to load the weights. */
  'simulated-load-seconds': numeric(z.number().min(0).max(3600)).optional(),
});

const specFields = z.object({
  replicaId: z.string().min(1),
  deployment: z.string().min(1),
  model: z.string().min(1),
  source: z.string(),
  acceleratorKind: z.string(),
  tensorParallel: z.number().int().positive(),
  shape: z.object({ weightsBytes: z.number().positive(), maxContextTokens: z.number().int().positive() }),
  stepTime: stepTimeCoefficientsSchema,
  kvCacheTokens: z.number().min(BLOCK_TOKENS),
  maxSequences: z.number().int().min(1),
  args: argsSchema,
});

const specSchema = specFields.superRefine((spec, ctx) => {
  const maxSequences = maxSequencesOf(spec);
  if (spec.args['max-num-batched-tokens'] >= maxSequences) return;
  // As in vLLM: every running sequence has at least its one token in a step.
  const message = `a number of at least the sequences that may run, ${maxSequences}`;
  ctx.addIssue({ code: 'custom', path: ['args', 'max-num-batched-tokens'], message });
});

function maxSequencesOf(spec: z.output<typeof specFields>): number {
  return spec.args['max-num-seqs'] ?? spec.maxSequences;
}

export interface Settings {
  replicaId: string;
  deployment: string;
  model: string;
  /** What a request's `model` may say: either of the two. */
  names: readonly string[];
  source: string;
  /** For people: what is imitated. */
  description: string;
  engine: Omit<EngineConfig, 'noise'>;
  seed: number;
  /** It generates nothing. */
  embedsOnly: boolean;
  loadSeconds: number;
  graceSeconds: number;
}

/** @throws invalid-input that names each field at fault, e.g. `args.max-num-seqs` */
export function parseSettings(value: unknown): Settings {
  const spec = parseInput(specSchema, value, 'engine spec');
  const { args } = spec;
  return {
    replicaId: spec.replicaId,
    deployment: spec.deployment,
    model: spec.model,
    names: [...new Set([spec.deployment, spec.model])],
    source: spec.source,
    description: `${spec.model} on ${spec.tensorParallel} ${spec.acceleratorKind}`,
    engine: {
      stepTime: spec.stepTime,
      kvCacheTokens: spec.kvCacheTokens,
      // vLLM does not start with a context that its cache cannot hold.
      maxContextTokens: Math.min(args['max-model-len'] ?? spec.shape.maxContextTokens, Math.floor(spec.kvCacheTokens)),
      maxSequences: maxSequencesOf(spec),
      maxBatchedTokens: args['max-num-batched-tokens'],
      scheduling: args['scheduling-policy'],
    },
    seed: args['simulated-seed'],
    embedsOnly: args.runner === 'pooling',
    loadSeconds: args['simulated-load-seconds'] ?? defaultLoadSeconds(spec.shape.weightsBytes),
    graceSeconds: args['shutdown-timeout'],
  };
}

/** A second, and one more for every 100 GB of weights, up to 3 in all: enough to be seen, too short to be waited for. */
function defaultLoadSeconds(weightsBytes: number): number {
  return Math.min(3, 1 + weightsBytes / 100e9);
}
