/** What was recorded: observations, corrections, audit rows. */
import { z } from '@hono/zod-openapi';
import { observationSchema } from '../../core/domain/observation.ts';
import { timeSchema } from './common.ts';

export const observationResourceSchema = observationSchema
  .omit({ acceptedAtMs: true })
  .extend({ id: z.number().int(), acceptedAt: timeSchema })
  .openapi('Observation');
export type ObservationResource = z.infer<typeof observationResourceSchema>;

export const correctionResourceSchema = z
  .object({
    id: z.number().int(),
    kind: z.string(),
    subject: z.string(),
    evidence: z.record(z.string(), z.unknown()),
    action: z.string(),
    createdAt: timeSchema,
    undoneAt: timeSchema.nullable(),
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
    before: z.unknown(),
    after: z.unknown(),
  })
  .openapi('AuditEntry');
export type AuditResource = z.infer<typeof auditResourceSchema>;
