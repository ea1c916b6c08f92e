/** What the API asks of the workflows. `temporal-actions.ts` is the real thing; tests of routes bring their own. */
import type { RolloutStatus } from '../core/domain/rollout.ts';
import type { DrainStatus, RebalanceResult } from '../workflows/messages.ts';

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

  /** Starts `retireDeployment`, which drains and stops every replica of a deployment that was deleted; one that runs already goes on. */
  startRetirement(deployment: string, requestedBy: string): Promise<void>;

  /** Starts `drainNode`. @throws conflict when a drain of that host runs */
  startDrain(host: string, requestedBy: string): Promise<void>;
  /** The newest drain of a host that Temporal still knows; null when there is none. */
  drainStatus(host: string): Promise<{ running: boolean; status: DrainStatus } | null>;
  /** Cancels the running drain of a host. Returns false when none runs. @throws conflict when the workflow declines */
  cancelDrain(host: string, by: string): Promise<boolean>;

  /** Starts `rebalanceCluster`. @throws conflict when one with that id runs */
  startRebalance(workflowId: string, request: { dryRun: boolean; requestedBy: string }): Promise<void>;
  /** Where a rebalance stands; null when Temporal does not know it. */
  rebalance(workflowId: string): Promise<RebalanceRun | null>;
}
