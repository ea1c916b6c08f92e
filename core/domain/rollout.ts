/** The stages of a deployment's life, in order, and the phases that a rollout ends in. */
import { z } from 'zod';

export const ROLLOUT_STAGES = [
  'resolve',
  'profile',
  'plan',
  'reserve',
  'fetch',
  'start',
  'calibrate',
  'canary',
  'approve',
  'promote',
  'retire',
  'record',
] as const;
export const rolloutStageSchema = z.enum(ROLLOUT_STAGES);
export type RolloutStage = z.infer<typeof rolloutStageSchema>;

export const rolloutPhaseSchema = z.enum(['running', 'paused', 'awaiting-approval', 'rolling-back', 'succeeded', 'failed', 'rolled-back']);
export type RolloutPhase = z.infer<typeof rolloutPhaseSchema>;

export function isTerminalPhase(phase: RolloutPhase): boolean {
  return phase === 'succeeded' || phase === 'failed' || phase === 'rolled-back';
}

/** One line of the stage table that Temporal's UI, API, CLI and dashboard show. */
export const stageRecordSchema = z.object({
  stage: rolloutStageSchema,
  state: z.enum(['waiting', 'running', 'done', 'failed', 'skipped']),
  detail: z.string(),
  startedAtMs: z.number().nullable(),
  endedAtMs: z.number().nullable(),
});
export type StageRecord = z.infer<typeof stageRecordSchema>;

export const rolloutStatusSchema = z.object({
  phase: rolloutPhaseSchema,
  stage: rolloutStageSchema,
  reason: z.string(),
  stages: z.array(stageRecordSchema),
  planId: z.string().nullable(),
});
export type RolloutStatus = z.infer<typeof rolloutStatusSchema>;
