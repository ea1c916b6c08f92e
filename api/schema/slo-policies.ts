import { z } from '@hono/zod-openapi';
import { sloPolicySchema } from '../../core/domain/slo-policy.ts';
import { declaredStatus, ignoredStatus } from './common.ts';

export const sloPolicyInputSchema = sloPolicySchema.safeExtend({ status: ignoredStatus }).openapi('SloPolicyInput');
export type SloPolicyInput = z.input<typeof sloPolicyInputSchema>;

export const sloPolicyResourceSchema = sloPolicySchema.safeExtend({ status: z.object(declaredStatus) }).openapi('SloPolicy');
export type SloPolicyResource = z.output<typeof sloPolicyResourceSchema>;

export const sloAttainmentSchema = z
  .object({
    policy: z.string(),
    class: z.string(),
    deployment: z.string(),
    windowSeconds: z.number().int(),
    requests: z.number().int().openapi({ description: 'Those that their client cancelled do not count.' }),
    attained: z.number().openapi({ description: 'Share of the requests that met every target, 0 to 1.' }),
    targetAttainment: z.number().nullable().openapi({ description: 'What the policy asks for; null where it no longer exists.' }),
  })
  .openapi('SloAttainment');
export type SloAttainmentItem = z.infer<typeof sloAttainmentSchema>;
