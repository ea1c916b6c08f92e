/** Resources about the cluster as a whole: rebalances, changes as they happen, and what this installation is. */
import { z } from '@hono/zod-openapi';
import { refusalSchema } from '../../core/domain/refusal.ts';
import { timeSchema } from './common.ts';
import { planSummarySchema } from './plans.ts';

export const rebalanceInputSchema = z
  .strictObject({ dryRun: z.boolean().default(false).openapi({ description: 'Plan and report, move nothing.' }) })
  .openapi('RebalanceInput');
export type RebalanceInput = z.input<typeof rebalanceInputSchema>;

export const rebalanceStartedSchema = z.object({ workflowId: z.string(), dryRun: z.boolean() }).openapi('RebalanceStarted');
export type RebalanceStarted = z.infer<typeof rebalanceStartedSchema>;

export const rebalanceSchema = z
  .object({
    workflowId: z.string(),
    state: z.enum(['running', 'completed', 'failed']),
    result: z
      .object({
        planId: z.string().nullable(),
        outcome: z.enum(['nothing-to-do', 'dry-run', 'moved', 'waiting', 'skipped', 'cancelled']),
        reason: z.string(),
        summary: planSummarySchema.nullable(),
        held: z.array(refusalSchema).openapi({ description: 'Rollouts and drains for whose sake something was left alone.' }),
      })
      .nullable(),
    failure: z.string().nullable(),
  })
  .openapi('Rebalance');
export type Rebalance = z.infer<typeof rebalanceSchema>;

export const scheduleNameSchema = z.enum(['rebalance', 'monitor']);

export const scheduleInputSchema = z
  .strictObject({
    everySeconds: z.number().int().min(10).max(604_800).optional().openapi({ description: 'From one run to the next.' }),
    paused: z.boolean().optional(),
    note: z.string().max(1000).optional().openapi({ description: 'Why it is paused, or was changed.' }),
  })
  .openapi('ScheduleInput');
export type ScheduleInput = z.input<typeof scheduleInputSchema>;

export const scheduleSchema = z
  .object({
    name: scheduleNameSchema,
    everySeconds: z.number(),
    paused: z.boolean(),
    note: z.string(),
    lastRunAt: timeSchema.nullable(),
    nextRunAt: timeSchema.nullable(),
  })
  .openapi('Schedule');
export type ScheduleResource = z.infer<typeof scheduleSchema>;

export const infoSchema = z
  .object({
    version: z.string(),
    temporalUiUrl: z.string().nullable(),
    gatewayUrl: z.string().nullable(),
    simulatedHosts: z.number().int().openapi({ description: 'Declared hosts whose accelerators are imitated.' }),
  })
  .openapi('Info');
export type Info = z.infer<typeof infoSchema>;

export const changeKindSchema = z.enum([
  'hosts',
  'models',
  'slo-policies',
  'tenants',
  'keys',
  'deployments',
  'replicas',
  'plans',
  'rollouts',
  'corrections',
  'proposals',
  'profiler',
  'routing',
  'observations',
  'readiness',
]);
/** Data of a `changed` event: read that kind again. */
export const changeSchema = z.object({ kind: changeKindSchema }).openapi('Change');
export type Change = z.infer<typeof changeSchema>;
