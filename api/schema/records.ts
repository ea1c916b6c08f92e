/** What was recorded: observations, corrections, audit rows. */
import { z } from '@hono/zod-openapi';
import { observationSchema } from '../../core/domain/observation.ts';
import { timeSchema } from './common.ts';

export const observationResourceSchema = observationSchema
  // What the profiler looks at is opaque, and nobody's to read.
  .omit({ acceptedAtMs: true, features: true, featureKey: true })
  .extend({ id: z.number().int(), acceptedAt: timeSchema })
  .openapi('Observation');
export type ObservationResource = z.infer<typeof observationResourceSchema>;

export const observationsDeletedSchema = z.object({ tenant: z.string(), deleted: z.number().int() }).openapi('ObservationsDeleted');
export type ObservationsDeleted = z.infer<typeof observationsDeletedSchema>;

export const correctionResourceSchema = z
  .object({
    id: z.number().int(),
    kind: z.string(),
    subject: z.string(),
    evidence: z.record(z.string(), z.unknown()),
    action: z.string(),
    state: z
      .enum(['active', 'kept', 'undone', 'failed'])
      .openapi({ description: 'Watched, found to help, taken back, or never in force.' }),
    change: z.record(z.string(), z.unknown()).nullable().openapi({ description: 'What was applied, as data.' }),
    attainmentBefore: z.number().nullable().openapi({ description: 'Share of requests within their SLO before it, 0 to 1.' }),
    attainmentAfter: z.number().nullable().openapi({ description: 'The same while it was judged.' }),
    createdAt: timeSchema,
    undoneAt: timeSchema.nullable(),
    undoReason: z.string().nullable(),
  })
  .openapi('Correction');
export type CorrectionResource = z.infer<typeof correctionResourceSchema>;

export const auditResourceSchema = z
  .object({
    id: z.number().int(),
    at: timeSchema,
    actor: z.string(),
    action: z.string(),
    kind: z.string(),
    name: z.string(),
    tenant: z.string().nullable().openapi({ description: "Whose the object is; null: the fleet's." }),
    before: z.unknown(),
    after: z.unknown(),
  })
  .openapi('AuditEntry');
export type AuditResource = z.infer<typeof auditResourceSchema>;
