/** What an installation says of a tenant: how much it may ask for, its share while requests wait, what may be looked at of them. */
import { z } from 'zod';
import { nameSchema } from './names.ts';

/**
 * What is kept of a tenant's requests to predict the lengths of its answers: `full` numeric features and keyed hashes of the text,
 * `lengths-only` nothing but token counts, `off` no features at all (predictions then know model and class only).
 */
export const tenantFeaturesSchema = z.enum(['full', 'lengths-only', 'off']);
export type TenantFeatures = z.infer<typeof tenantFeaturesSchema>;

/** All that is spent, prompts and answers, counts as tokens. Days are UTC's. */
export const tenantLimitsSchema = z
  .strictObject({
    requestsPerMinute: z.number().int().positive().max(1_000_000_000).optional(),
    tokensPerMinute: z.number().int().positive().max(1_000_000_000_000).optional(),
    /** Open at once: waiting or running. */
    requestsInFlight: z.number().int().positive().max(1_000_000).optional(),
    tokensPerDay: z.number().int().positive().max(1_000_000_000_000_000).optional(),
  })
  .refine((limits) => Object.values(limits).some((limit) => limit !== undefined), {
    message: 'at least one of requestsPerMinute, tokensPerMinute, requestsInFlight, tokensPerDay',
  });
export type TenantLimits = z.infer<typeof tenantLimitsSchema>;

export const tenantSchema = z.strictObject({
  name: nameSchema,
  features: tenantFeaturesSchema.default('full'),
  /** Share of a class relative to other tenants', while their requests wait; where the SLO policy sets none. 1 where absent. */
  weight: z.number().positive().max(1000).optional(),
  /** None where absent. */
  limits: tenantLimitsSchema.optional(),
});
export type Tenant = z.infer<typeof tenantSchema>;
