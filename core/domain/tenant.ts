/** What an installation says of a tenant: how much of its requests the profiler may look at. */
import { z } from 'zod';
import { nameSchema } from './names.ts';

/**
 * What is kept of a tenant's requests to predict the lengths of its answers: `full` numeric features and keyed hashes of the text,
 * `lengths-only` nothing but token counts, `off` no features at all (predictions then know model and class only).
 */
export const tenantFeaturesSchema = z.enum(['full', 'lengths-only', 'off']);
export type TenantFeatures = z.infer<typeof tenantFeaturesSchema>;

export const tenantSchema = z.strictObject({
  name: nameSchema,
  features: tenantFeaturesSchema.default('full'),
});
export type Tenant = z.infer<typeof tenantSchema>;
