import { z } from '@hono/zod-openapi';
import { tenantSchema } from '../../core/domain/tenant.ts';
import { declaredStatus, ignoredStatus } from './common.ts';

export const tenantInputSchema = tenantSchema.safeExtend({ status: ignoredStatus }).openapi('TenantInput');
export type TenantInput = z.input<typeof tenantInputSchema>;

export const tenantResourceSchema = tenantSchema.safeExtend({ status: z.object(declaredStatus) }).openapi('Tenant');
export type TenantResource = z.output<typeof tenantResourceSchema>;
