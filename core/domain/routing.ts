/** What a gateway needs to know of the cluster: one immutable table, replaced as a whole when its version rises. */
import { z } from 'zod';
import { engineKindSchema } from './deployment.ts';
import { sloPolicySchema } from './slo-policy.ts';
import { stepTimeCoefficientsSchema } from './step-time.ts';
import { tenantSchema } from './tenant.ts';

/**
 * How an engine batches: `continuous` ones take requests into the batch under way, `static` ones begin the next batch when all of the last
 * has ended.
 */
export const batchingSchema = z.enum(['continuous', 'static']);

/** How a model wants a chat written as one prompt, for engines that take nothing but text. Source: Hugging Face tokenizer_config.json. */
export const chatTemplateSchema = z.object({
  /** In Jinja. */
  template: z.string(),
  /** Empty where the model has none. */
  bosToken: z.string(),
  eosToken: z.string(),
});
export type ChatTemplate = z.infer<typeof chatTemplateSchema>;

export const routedReplicaSchema = z.object({
  replicaId: z.string(),
  generation: z.number().int(),
  deployment: z.string(),
  revision: z.number().int(),
  model: z.string(),
  host: z.string(),
  engine: engineKindSchema,
  /** Base URL without a trailing slash. */
  endpoint: z.string(),
  /** The name under which its engine serves the model, where it is neither the deployment's nor the model's. */
  servedAs: z.string().optional(),
  /** Relative share of its deployment's traffic; 0 takes nothing new. */
  weight: z.number().nonnegative(),
  /** Requests that a gateway may have open on it at once. */
  maxInFlight: z.number().int().positive(),
  stepTime: stepTimeCoefficientsSchema,
  kvCacheTokens: z.number().int().positive(),
  /** Of `kvCacheTokens` and of `maxInFlight`, the share that may be filled: monitoring limits and loosens it. All of it where absent. */
  kvShare: z.number().positive().optional(),
  maxInFlightShare: z.number().positive().optional(),
  /** null or absent where the engine writes chats itself, or the model has no template. */
  chat: chatTemplateSchema.nullable().optional(),
  /** Continuous where absent. */
  batching: batchingSchema.optional(),
  simulated: z.boolean(),
  /** Its deployment is in shadow mode: requests go there in the order of their arrival, none before another. Not where absent. */
  shadowed: z.boolean().optional(),
});
export type RoutedReplica = z.infer<typeof routedReplicaSchema>;

export const routingTableSchema = z.object({
  version: z.number().int(),
  replicas: z.array(routedReplicaSchema),
  policies: z.array(sloPolicySchema),
  /** Those about which something was declared. */
  tenants: z.array(tenantSchema).optional(),
});
export type RoutingTable = z.infer<typeof routingTableSchema>;

/** Of a limit the part that monitoring lets be used: a whole number, and never nothing. @param share above 0; all of it where absent */
export function allowedPart(limit: number, share = 1): number {
  return Math.max(1, Math.floor(limit * share));
}
