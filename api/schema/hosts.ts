import { z } from '@hono/zod-openapi';
import {
  deadlinePolicySchema,
  drainOptionsSchema,
  drainPhaseSchema,
  drainReceiptSchema,
  openRequestsSchema,
} from '../../core/domain/drain.ts';
import { hostLivenessSchema, hostServiceSchema, hostSpecSchema } from '../../core/domain/fleet.ts';
import { hostProbeSchema } from '../../core/domain/host-probe.ts';
import { refusalSchema } from '../../core/domain/refusal.ts';
import { declaredStatus, ignoredStatus, timeSchema } from './common.ts';

export const hostInputSchema = hostSpecSchema.safeExtend({ status: ignoredStatus }).openapi('HostInput');
export type HostInput = z.input<typeof hostInputSchema>;

const linkSchema = z.object({
  bandwidthBytesPerSecond: z.number(),
  latencySeconds: z.number(),
  slow: z.boolean().openapi({ description: 'So slow that tensor parallelism over it costs more than it gains.' }),
});

export const hostResourceSchema = hostSpecSchema
  .safeExtend({
    status: z.object({
      ...declaredStatus,
      liveness: hostLivenessSchema,
      service: hostServiceSchema,
      reason: z.string().openapi({ description: 'Why it is cordoned, draining, suspect or lost.' }),
      lastSeenAt: timeSchema.nullable(),
      replicas: z.number().int().openapi({ description: 'Replicas that have not ended.' }),
      accelerators: z.object({
        total: z.number().int(),
        claimed: z.number().int(),
        memoryBytes: z
          .array(z.number().nullable())
          .openapi({ description: "Of each, in index order: as the host's tools find it, else the catalog's; null for an unknown kind." }),
      }),
      links: z
        .object({ accelerators: linkSchema.nullable(), hosts: linkSchema })
        .openapi({ description: 'As planning reckons with them: what is declared, else the catalog. null with a single accelerator.' }),
      inventory: hostProbeSchema
        .pick({ accelerators: true, links: true, problems: true })
        .extend({
          difference: z.string().nullable().openapi({ description: 'How it differs from what is declared, in a sentence.' }),
          absent: z.array(z.number().int()).openapi({ description: 'Indexes of declared accelerators on which nothing is placed.' }),
        })
        .nullable()
        .openapi({ description: "What the host's own tools find; null on simulated and external hosts, and before they have answered." }),
      lastDrain: drainReceiptSchema.nullable(),
    }),
  })
  .openapi('Host');
export type HostResource = z.output<typeof hostResourceSchema>;

export const drainInputSchema = drainOptionsSchema.safeExtend({}).openapi('DrainInput');
export type DrainInput = z.input<typeof drainInputSchema>;

export const drainStartedSchema = z.object({ host: z.string(), workflowId: z.string() }).openapi('DrainStarted');
export type DrainStarted = z.infer<typeof drainStartedSchema>;

export const drainSchema = z
  .object({
    host: z.string(),
    workflowId: z.string(),
    running: z.boolean(),
    phase: drainPhaseSchema,
    reason: z.string(),
    planId: z.string().nullable(),
    remaining: z.array(z.string()).openapi({ description: 'Replicas still to leave.' }),
    open: z.array(openRequestsSchema).openapi({ description: 'What is open on those now.' }),
    deadlineAt: timeSchema.nullable(),
    onDeadline: deadlinePolicySchema,
    waiting: z.array(refusalSchema),
    receipt: drainReceiptSchema.nullable(),
  })
  .openapi('Drain');
export type Drain = z.infer<typeof drainSchema>;
