/** A plan never changes once saved: what is to move, why, what it waits for, and which plan it came from. */
import { z } from 'zod';
import { engineKindSchema } from './deployment.ts';
import { refusalSchema } from './refusal.ts';

export const planPurposeSchema = z.enum(['deploy', 'drain', 'rebalance', 'replace']);
export type PlanPurpose = z.infer<typeof planPurposeSchema>;

export const placeMoveSchema = z.object({
  kind: z.literal('place'),
  replicaId: z.string(),
  deployment: z.string(),
  revision: z.number().int(),
  model: z.string(),
  engine: engineKindSchema,
  host: z.string(),
  accelerators: z.array(z.number().int()),
  acceleratorKind: z.string(),
  tensorParallel: z.number().int(),
  simulated: z.boolean(),
  /** The replica that this one makes superfluous, retired once it serves. */
  replaces: z.string().optional(),
  /** Rate at which the SLO still holds on it, by the step-time model. */
  capacityRequestsPerSecond: z.number(),
  reason: z.string(),
});
export const retireMoveSchema = z.object({
  kind: z.literal('retire'),
  replicaId: z.string(),
  deployment: z.string(),
  host: z.string(),
  reason: z.string(),
});
export const moveSchema = z.discriminatedUnion('kind', [placeMoveSchema, retireMoveSchema]);
export type PlaceMove = z.infer<typeof placeMoveSchema>;
export type RetireMove = z.infer<typeof retireMoveSchema>;
export type Move = z.infer<typeof moveSchema>;

export const planReportSchema = z.object({
  /** One sentence: what this plan does. */
  summary: z.string(),
  /** Each decision with its figures, in order. */
  reasons: z.array(z.string()),
  /** What it would have done and cannot yet. */
  waiting: z.array(refusalSchema),
  costUsdPerHourBefore: z.number().nullable(),
  costUsdPerHourAfter: z.number().nullable(),
});
export type PlanReport = z.infer<typeof planReportSchema>;

export const planStateSchema = z.enum(['proposed', 'applied', 'trimmed', 'refused', 'dry-run']);

export interface Plan {
  id: string;
  purpose: PlanPurpose;
  /** Deployment, host or `cluster`. */
  subject: string;
  basedOn: string | null;
  moves: Move[];
  report: PlanReport;
}

/** What a workflow gets back: at most 16 KB, ids and one line each. */
export interface PlanSummary {
  planId: string;
  places: PlaceMove[];
  retires: RetireMove[];
  waiting: z.infer<typeof refusalSchema>[];
  summary: string;
}
