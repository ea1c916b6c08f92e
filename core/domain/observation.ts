/** What was predicted for a request, and what happened. No text of it, ever. */
import { z } from 'zod';

export const observationOutcomeSchema = z.enum(['ok', 'cancelled', 'shed', 'failed']);

/** Far more than the features of any request take. */
const MAX_FEATURES_CHARACTERS = 65_536;

/** The `featureKey` of observations that the profiler must not learn from: their tenant has features off. */
export const NOT_LEARNED_FROM = 'off';

export const observationSchema = z.object({
  /** Unique per attempt to serve: the gateway's request id. Delivery more than once is harmless. */
  requestId: z.string(),
  /** Unix time of acceptance, ms. */
  acceptedAtMs: z.number(),
  gatewayId: z.string(),
  model: z.string(),
  deployment: z.string(),
  revision: z.number().int().nullable(),
  replicaId: z.string().nullable(),
  tenant: z.string(),
  class: z.string(),
  policy: z.string(),
  outcome: observationOutcomeSchema,
  streamed: z.boolean(),
  inputTokens: z.number().int(),
  /** null where the engine said nothing and nothing could be counted. */
  outputTokens: z.number().int().nullable(),
  maxTokens: z.number().int().nullable(),
  predictedOutputP50: z.number().nullable(),
  predictedOutputP90: z.number().nullable(),
  predictedTtftMs: z.number().nullable(),
  /** Version of the profiler snapshot that predicted. */
  snapshotVersion: z.number().int().nullable(),
  queueMs: z.number().nullable(),
  ttftMs: z.number().nullable(),
  tpotMs: z.number().nullable(),
  e2eMs: z.number().nullable(),
  /** Did it meet every target of its policy? false for what failed or was shed; null for what the client cancelled. */
  attained: z.boolean().nullable(),
  /** Numeric features and keyed hashes of the request, in base64; null or absent where its tenant has them off, or the gateway is an older one. */
  features: z.base64().max(MAX_FEATURES_CHARACTERS).nullable().optional(),
  /** Short id of the key that hashed them. */
  featureKey: z
    .string()
    .regex(/^[\w.-]{1,64}$/, 'up to 64 letters, digits, dots, dashes and underscores')
    .nullable()
    .optional(),
});
export type Observation = z.infer<typeof observationSchema>;

/** Tokens that an engine has spent on it, prompt and answer: none where no engine has seen it. */
export function tokensServed({
  replicaId,
  inputTokens,
  outputTokens,
}: Pick<Observation, 'replicaId' | 'inputTokens' | 'outputTokens'>): number {
  return replicaId === null ? 0 : inputTokens + (outputTokens ?? 0);
}
