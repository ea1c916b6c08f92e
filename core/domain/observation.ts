/** What was predicted for a request, and what happened. No text of it, ever. */
import { z } from 'zod';

export const observationOutcomeSchema = z.enum(['ok', 'cancelled', 'shed', 'failed']);

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
});
export type Observation = z.infer<typeof observationSchema>;
