/** What the API asks of the workflows. `temporal-actions.ts` is the real thing; tests of routes bring their own. */
import type { DrainOptions } from '../core/domain/drain.ts';
import type { LogTail } from '../core/domain/log-tail.ts';
import type { RolloutStatus } from '../core/domain/rollout.ts';
import type { DrainStatus, ReadLogInput, RebalanceResult } from '../workflows/messages.ts';

/** A drain of which nothing more is known than how it ended. */
export const NO_DRAIN = {
  ...{ planId: null, remaining: [], open: [], waiting: [], receipt: null, deadlineMs: null },
  onDeadline: 'wait',
} satisfies Omit<DrainStatus, 'host' | 'phase' | 'reason'>;

export type ScheduleName = 'rebalance' | 'monitor';

export interface Schedule {
  name: ScheduleName;
  everySeconds: number;
  paused: boolean;
  /** Why it is paused, or was changed. */
  note: string;
  /** When it ran last, and will run next; null where it did not, or will not. */
  lastRunAt: Date | null;
  nextRunAt: Date | null;
}

export interface ScheduleChange {
  everySeconds?: number | undefined;
  paused?: boolean | undefined;
  note?: string | undefined;
}

export type RolloutAction = 'pause' | 'resume' | 'approve' | 'abort';

export type RebalanceRun = { state: 'running' } | { state: 'completed'; result: RebalanceResult } | { state: 'failed'; failure: string };

/**
 * Every call ends within a few seconds, whether or not a control worker is up.
 * @throws unavailable when Temporal, or a worker that has to answer, is away
 */
export interface WorkflowActions {
  /** Resolves when Temporal answers. */
  ping(): Promise<void>;

  /** Starts `deployModel`. @throws conflict when that rollout runs already */
  startDeploy(rolloutId: string): Promise<void>;
  /** Returns the rollout's new status. @throws conflict when the workflow declines, not-found when none is open */
  updateRollout(rolloutId: string, action: RolloutAction, request: { by: string; reason: string }): Promise<RolloutStatus>;

  /** Tells `carryOutProposal` that the row of its proposal has changed; starts it where it does not run. */
  tellProposal(proposalId: string): Promise<void>;

  /** Starts `retireDeployment`, which drains and stops every replica of a deployment that was deleted; one that runs already goes on. */
  startRetirement(deployment: string, requestedBy: string): Promise<void>;

  /** Starts `drainNode`. @throws conflict when a drain of that host runs */
  startDrain(host: string, requestedBy: string, options?: DrainOptions): Promise<void>;
  /** The newest drain of a host that Temporal still knows; null when there is none. */
  drainStatus(host: string): Promise<{ running: boolean; status: DrainStatus } | null>;
  /** Cancels the running drain of a host. Returns false when none runs. @throws conflict when the workflow declines */
  cancelDrain(host: string, by: string): Promise<boolean>;

  /** Starts `rebalanceCluster`. @throws conflict when one with that id runs */
  startRebalance(workflowId: string, request: { dryRun: boolean; requestedBy: string }): Promise<void>;
  /** Ends the rebalance under way: moves that are not done are undone. Returns false when none runs. */
  cancelRebalance(by: string): Promise<boolean>;
  /** Where a rebalance stands; null when Temporal does not know it. */
  rebalance(workflowId: string): Promise<RebalanceRun | null>;

  /**
   * The end of a log that lies on a host.
   * @throws not-found where the host has no such log, unavailable when its worker or the control worker is away
   */
  readLog(input: ReadLogInput): Promise<LogTail>;

  /** What runs by itself, and how often. */
  schedules(): Promise<Schedule[]>;
  /** Changes a schedule; what is not named stays as it is. @throws not-found */
  changeSchedule(name: ScheduleName, change: ScheduleChange): Promise<Schedule>;
}
