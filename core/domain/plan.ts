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
  /** Until it serves, estimated. */
  seconds: z.number().optional(),
  /** What bringing it up costs: its accelerators until then, and the disturbance. */
  moveUsd: z.number().optional(),
  reason: z.string(),
});
export const retireMoveSchema = z.object({
  kind: z.literal('retire'),
  replicaId: z.string(),
  deployment: z.string(),
  host: z.string(),
  /** New replicas that make it superfluous: it leaves once all of them serve, and not otherwise. */
  after: z.array(z.string()).optional(),
  reason: z.string(),
});
export const moveSchema = z.discriminatedUnion('kind', [placeMoveSchema, retireMoveSchema]);
export type PlaceMove = z.infer<typeof placeMoveSchema>;
export type RetireMove = z.infer<typeof retireMoveSchema>;
export type Move = z.infer<typeof moveSchema>;

const outlookSchema = z.object({
  replicas: z.number().int(),
  capacityRequestsPerSecond: z.number(),
  /** null where a kind has no price. */
  usdPerHour: z.number().nullable(),
  /** Share of the requests predicted to meet their targets; null where nobody named any, or nothing serves. */
  attainment: z.number().nullable(),
});
export type Outlook = z.infer<typeof outlookSchema>;

/** One deployment before a plan and after it. */
export const deploymentOutlookSchema = z.object({
  deployment: z.string(),
  requestsPerSecond: z.number(),
  before: outlookSchema,
  after: outlookSchema,
});
export type DeploymentOutlook = z.infer<typeof deploymentOutlookSchema>;

export const planReportSchema = z.object({
  /** One sentence: what this plan does. */
  summary: z.string(),
  /** Each decision with its figures, in order. */
  reasons: z.array(z.string()),
  /** What it would have done and cannot yet. */
  waiting: z.array(refusalSchema),
  costUsdPerHourBefore: z.number().nullable(),
  costUsdPerHourAfter: z.number().nullable(),
  /** Deployments that the plan changes; absent in plans of before this was recorded. */
  deployments: z.array(deploymentOutlookSchema).optional(),
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
