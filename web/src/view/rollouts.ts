/** What the page offers to do with a rollout, and how its stages read. */
import type { RolloutAction, RolloutResource } from '../../../api/schema/index.ts';

type Phase = RolloutResource['status']['phase'];
export type Stage = RolloutResource['status']['stages'][number];

/** What makes sense in a phase; the workflow has the last word. */
export function actionsOf(phase: Phase): RolloutAction[] {
  switch (phase) {
    case 'running':
      return ['pause', 'abort'];
    case 'paused':
      return ['abort', 'resume'];
    case 'awaiting-approval':
      return ['abort', 'approve'];
    default:
      return [];
  }
}

/** Seconds that a stage has taken so far; null before it began. */
export function stageSeconds({ startedAtMs, endedAtMs }: Stage, nowMs: number): number | null {
  return startedAtMs === null ? null : Math.max(0, ((endedAtMs ?? nowMs) - startedAtMs) / 1000);
}

/** `7 of 12 stages`: what is behind, skipped ones too. */
export function progress(stages: readonly Stage[]): string {
  const behind = stages.filter((s) => s.state === 'done' || s.state === 'skipped').length;
  return `${behind} of ${stages.length} stages`;
}
