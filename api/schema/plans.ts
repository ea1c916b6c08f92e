import { z } from '@hono/zod-openapi';
import { moveSchema, planPurposeSchema, planReportSchema, planStateSchema } from '../../core/domain/plan.ts';
import { timeSchema } from './common.ts';

export const planResourceSchema = z
  .object({
    id: z.string(),
    purpose: planPurposeSchema,
    subject: z.string().openapi({ description: 'A deployment, a host or `cluster`.' }),
    basedOn: z.string().nullable().openapi({ description: 'The plan that it came from.' }),
    state: planStateSchema,
    moves: z.array(moveSchema),
    report: planReportSchema,
    createdAt: timeSchema,
  })
  .openapi('Plan');
export type PlanResource = z.infer<typeof planResourceSchema>;

/** What a finished rebalance says of its plan. */
export const planSummarySchema = z.object({
  planId: z.string(),
  places: z.array(moveSchema.options[0]),
  retires: z.array(moveSchema.options[1]),
  waiting: planReportSchema.shape.waiting,
  summary: z.string(),
});
