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

const placedSchema = z.object({
  replicaId: z.string(),
  deployment: z.string(),
  revision: z.number().int(),
  host: z.string(),
  accelerators: z.array(z.number().int()),
  acceleratorKind: z.string(),
  tensorParallel: z.number().int(),
});

const comparedPlanSchema = planResourceSchema.omit({ moves: true });

export const planDiffSchema = z
  .object({
    from: comparedPlanSchema.openapi({ description: 'The older of the two.' }),
    to: comparedPlanSchema,
    plansBetween: z
      .number()
      .int()
      .openapi({ description: 'Plans that were applied after the older and before the newer; at most 500 are looked at.' }),
    changes: z
      .array(
        z.object({
          change: z.enum(['added', 'removed', 'moved', 'resized']),
          deployment: z.string(),
          before: placedSchema.nullable(),
          after: placedSchema.nullable(),
          reasons: z.array(z.string()).openapi({ description: 'What the plans said of it; empty where no plan had it.' }),
        }),
      )
      .openapi({ description: 'By deployment: from where the older plan left it to where the newer left it, or would have.' }),
    costUsdPerHour: z
      .object({ before: z.number().nullable(), after: z.number().nullable() })
      .openapi({ description: 'Of all accelerators that are held, at present prices; null where a kind has none.' }),
    deployments: planReportSchema.shape.deployments.unwrap().openapi({
      description: 'What the plans after the older one said of each deployment that they changed: before the first, after the last.',
    }),
  })
  .openapi('PlanDiff');
export type PlanDiff = z.infer<typeof planDiffSchema>;
