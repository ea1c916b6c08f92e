import { z } from '@hono/zod-openapi';
import { tenantSchema } from '../../core/domain/tenant.ts';
import { declaredStatus, ignoredStatus } from './common.ts';

export const tenantInputSchema = tenantSchema.safeExtend({ status: ignoredStatus }).openapi('TenantInput');
export type TenantInput = z.input<typeof tenantInputSchema>;

const counted = (description: string) =>
  z
    .number()
    .nullable()
    .openapi({ description: `${description} null of a tenant without limits.` });

const tenantUseSchema = z
  .object({
    requestsPerMinute: counted('Admitted in the last minute, all gateways together;'),
    tokensPerMinute: counted('Spent by requests that ended in the last minute, prompts and answers;'),
    requestsInFlight: counted('Open now;'),
    requestsToday: z.number().openapi({ description: 'Of this UTC day, as far as gateways have delivered: a second or two behind.' }),
    tokensToday: z.number(),
  })
  .openapi('TenantUse');

export const tenantResourceSchema = tenantSchema
  .safeExtend({ status: z.object({ ...declaredStatus, use: tenantUseSchema }) })
  .openapi('Tenant');
export type TenantResource = z.output<typeof tenantResourceSchema>;
