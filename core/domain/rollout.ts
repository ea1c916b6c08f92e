/** The stages of a deployment's life, in order, and the phases that a rollout ends in. */
import { z } from 'zod';
import type { DeploymentSpec, RolloutStrategy, StageDeadlines } from './deployment.ts';
import { assertNever } from './errors.ts';

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

/** Its stages in the order that a strategy goes through them. `recreate` and `reload` ask before they touch what serves; `recreate` has nothing to compare with. */
export function stagesOf(strategy: RolloutStrategy): readonly RolloutStage[] {
  switch (strategy) {
    case 'canary':
      return ROLLOUT_STAGES;
    case 'blue-green':
      return ROLLOUT_STAGES.filter((stage) => stage !== 'canary');
    case 'recreate':
      return ['resolve', 'profile', 'plan', 'approve', 'retire', 'reserve', 'fetch', 'start', 'calibrate', 'promote', 'record'];
    case 'reload':
      return [
        ...(['resolve', 'profile', 'plan', 'reserve', 'approve', 'fetch', 'canary', 'start', 'calibrate'] as const),
        ...(['promote', 'retire', 'record'] as const),
      ];
    default:
      return assertNever(strategy);
  }
}

/** How long a stage may take where the deployment says nothing, s. An approval takes as long as it takes. */
const STAGE_DEADLINE_SECONDS: StageDeadlines = {
  resolve: 120,
  profile: 120,
  plan: 600,
  reserve: 120,
  fetch: 86_400, // it ends by itself where no bytes come
  start: 1800,
  calibrate: 600,
  canary: 600,
  promote: 600,
  retire: 3600,
};
export const DEFAULT_SOAK_SECONDS = 60;

/** @returns seconds, or undefined where there is no deadline; what the strategy itself waits for comes on top of a default */
export function stageDeadlineSeconds(stage: RolloutStage, rollout: DeploymentSpec['rollout']): number | undefined {
  if (stage === 'record') return undefined;
  const own = rollout.stageDeadlineSeconds?.[stage];
  // The first engine is reloaded and judged in one.
  const least = STAGE_DEADLINE_SECONDS[stage === 'canary' && rollout.strategy === 'reload' ? 'start' : stage];
  if (own !== undefined || least === undefined) return own;
  const { strategy, steps, soakSeconds = DEFAULT_SOAK_SECONDS } = rollout;
  // Each may be extended once by its own length, where there is too little to judge by.
  const waitSeconds =
    (stage === 'promote' && strategy === 'blue-green') || (stage === 'canary' && strategy === 'reload')
      ? soakSeconds
      : stage === 'canary'
        ? steps.reduce((sum, s) => sum + s.pauseSeconds, 0)
        : 0;
  return least + 2 * waitSeconds;
}

export const rolloutPhaseSchema = z.enum([
  'running',
  'paused',
  'awaiting-approval',
  'rolling-back',
  'succeeded',
  'failed', // not all of it could be undone
  'rolled-back', // what served before serves again
  'superseded', // the same, because a newer revision was to be rolled out instead
]);
export type RolloutPhase = z.infer<typeof rolloutPhaseSchema>;
export type TerminalPhase = Extract<RolloutPhase, 'succeeded' | 'failed' | 'rolled-back' | 'superseded'>;

export function isTerminalPhase(phase: RolloutPhase): phase is TerminalPhase {
  return phase === 'succeeded' || phase === 'failed' || phase === 'rolled-back' || phase === 'superseded';
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
