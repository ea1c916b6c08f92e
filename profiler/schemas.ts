/** What the profiler service takes: every field checked, unknown ones refused. */
import { z } from 'zod';
import { acceleratorKindSchema } from '../core/domain/accelerators.ts';
import { dtypeSchema, KNOWN_CONFIGS, type ModelShape, modelConfigSchema, modelShape } from '../core/domain/model-spec.ts';
import { observationSchema } from '../core/domain/observation.ts';
import { DEFAULT_CLASS, DEFAULT_TENANT } from '../core/domain/slo-policy.ts';
import { MAX_TOKENS } from '../core/profiler/predict.ts';

/** Text that Postgres can keep and a person can read. */
const label = z
  .string()
  .min(1)
  .max(300)
  .regex(/^[^\p{Cc}\p{Cs}]+$/u, 'a text without control characters and halves of surrogate pairs');
const tokens = z.number().int().min(0).max(MAX_TOKENS);
const MAX_INTEGER = 2 ** 31 - 1;
/** A length as an engine reports it, however absurd: the learner judges it. */
const reportedTokens = z.number().int().min(-MAX_INTEGER).max(MAX_INTEGER);
const MAX_UNIX_MS = 8.64e15;
/** Of a request, or of a part of it: SQL adds them to times. */
const MAX_DURATION_MS = 1e10;
const durationMs = z.number().min(0).max(MAX_DURATION_MS).nullable();
/** As `predictOutput` predicts: SQL takes powers of their ratios. */
const predictedTokens = z.number().min(1).max(MAX_TOKENS).nullable();

export const predictBodySchema = z.strictObject({
  model: label,
  class: label.default(DEFAULT_CLASS),
  tenant: label.default(DEFAULT_TENANT),
  inputTokens: tokens,
  maxTokens: tokens.min(1).nullable().default(null),
  streamed: z.boolean().default(false),
});

export const observeBodySchema = z.strictObject({
  observations: z
    .array(
      z.strictObject({
        ...observationSchema.shape,
        requestId: label,
        acceptedAtMs: z.number().min(0).max(MAX_UNIX_MS),
        gatewayId: label,
        model: label,
        deployment: label,
        revision: z.number().int().min(0).max(MAX_INTEGER).nullable(),
        replicaId: label.nullable(),
        tenant: label,
        class: label,
        policy: label,
        inputTokens: reportedTokens,
        outputTokens: reportedTokens.nullable(),
        maxTokens: reportedTokens.nullable(),
        predictedOutputP50: predictedTokens,
        predictedOutputP90: predictedTokens,
        predictedTtftMs: durationMs,
        snapshotVersion: z.number().int().min(0).max(MAX_INTEGER).nullable(),
        queueMs: durationMs,
        ttftMs: durationMs,
        tpotMs: durationMs,
        e2eMs: durationMs,
      }),
    )
    .min(1)
    .max(1000),
});

/** A factor beyond these is no correction but a mistake. */
export const recalibrateBodySchema = z.strictObject({
  model: label,
  class: label.nullable(),
  factor: z.number().min(0.01).max(100),
  correctionId: label,
});

const positive = z.number().positive();
const whole = z.number().int().positive();

const modelShapeSchema: z.ZodType<ModelShape> = z.strictObject({
  name: label,
  layers: whole,
  hiddenSize: whole,
  attentionHeads: whole,
  kvHeads: whole,
  headDim: positive,
  parameters: positive,
  activeParameters: positive,
  weightsBytes: positive,
  kvBytesPerToken: positive,
  maxContextTokens: whole,
  routedExperts: z.strictObject({ perLayer: whole, perToken: whole, parameters: positive, weightsBytes: positive }).optional(),
  slidingWindow: z.strictObject({ tokens: whole, share: z.number().gt(0).lt(1) }).optional(),
  fp8Compute: z.literal(true).optional(),
});

/** Either the `shape` of a model, or its name with a Hugging Face config (which known models may leave out). */
export const profileBodySchema = z
  .strictObject({
    shape: modelShapeSchema.optional(),
    model: label.optional(),
    config: modelConfigSchema.optional(),
    dtype: dtypeSchema.default('bf16'),
    accelerators: z.array(acceleratorKindSchema).max(64),
  })
  .superRefine((body, ctx) => {
    if ((body.shape === undefined) === (body.model === undefined)) {
      ctx.addIssue({ code: 'custom', path: ['model'], message: 'a model name, or else a shape, and not both' });
    } else if (body.model !== undefined && body.config === undefined && !Object.hasOwn(KNOWN_CONFIGS, body.model)) {
      const known = Object.keys(KNOWN_CONFIGS).join(', ');
      ctx.addIssue({ code: 'custom', path: ['config'], message: `a Hugging Face config.json; only ${known} are known without one` });
    }
  })
  .transform(({ shape, model = '', config, dtype, accelerators }) => ({
    shape: shape ?? modelShape(model, (config ?? KNOWN_CONFIGS[model])!, dtype),
    accelerators,
  }));
