import { z } from '@hono/zod-openapi';
import { rolloutStatusSchema } from '../../core/domain/rollout.ts';
import { timeSchema } from './common.ts';

export const rolloutResourceSchema = z
  .object({
    id: z.string(),
    deployment: z.string(),
    revision: z.number().int(),
    fromRevision: z.number().int().nullable().openapi({ description: 'The revision that served when it began.' }),
    workflowId: z.string(),
    queuedBehind: z.string().nullable().openapi({ description: 'The rollout that it waits for; null once it runs.' }),
    status: rolloutStatusSchema,
    startedAt: timeSchema,
    endedAt: timeSchema.nullable(),
  })
  .openapi('Rollout');
export type RolloutResource = z.infer<typeof rolloutResourceSchema>;

export const rolloutInputSchema = z
  .strictObject({
    revision: z
      .number()
      .int()
      .min(1)
      .max(2_147_483_647)
      .optional()
      .openapi({ description: 'An earlier revision to go back to; absent: a new one of the present spec.' }),
  })
  .openapi('RolloutInput');
export type RolloutInput = z.infer<typeof rolloutInputSchema>;

export const rolloutStartedSchema = rolloutResourceSchema
  .pick({ id: true, workflowId: true, deployment: true, revision: true, status: true })
  .openapi('RolloutStarted');
export type RolloutStarted = z.infer<typeof rolloutStartedSchema>;

export const rolloutActionSchema = z.enum(['pause', 'resume', 'approve', 'abort']);
export type RolloutAction = z.infer<typeof rolloutActionSchema>;

export const rolloutActionInputSchema = z
  .strictObject({
    reason: z.string().max(500).default('').openapi({ description: 'Shown with the rollout; `pause` and `abort` keep it.' }),
  })
  .openapi('RolloutActionInput');
