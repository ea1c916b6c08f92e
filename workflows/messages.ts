/**
 * Every message a workflow takes, and the names and ids by which workflows are found. Callers outside import this file only.
 * An update where the caller needs the answer (its validator is synchronous: the SDK drops a promise), a query to read.
 */
import { defineQuery, defineSignal, defineUpdate } from '@temporalio/workflow';
import type { DrainPhase, DrainReceipt } from '../core/domain/drain.ts';
import type { PlanSummary } from '../core/domain/plan.ts';
import type { Refusal } from '../core/domain/refusal.ts';
import type { RolloutStatus } from '../core/domain/rollout.ts';

export const CONTROL_TASK_QUEUE = 'uellm-control';
export const hostTaskQueue = (host: string) => `host-${host}`;

/** Workflow ids: an id is the lock, one open run at a time. */
export const workflowIds = {
  deploy: (rolloutId: string) => `deploy-${rolloutId}`,
  drain: (host: string) => `drain-${host}`,
  host: (host: string) => `host-${host}`,
  rebalance: 'rebalance-cluster',
  rebalanceDryRun: (id: string) => `rebalance-dry-run-${id}`,
  rebalanceSchedule: 'rebalance',
  monitor: 'monitor-cluster',
  monitorSchedule: 'monitor',
  place: (replicaId: string) => `place-${replicaId}`,
  restore: (replicaId: string, generation: number) => `restore-${replicaId}-g${generation}`,
  retire: (replicaId: string) => `retire-${replicaId}`,
  retireDeployment: (deployment: string) => `retire-deployment-${deployment}`,
} as const;

export interface DeployModelInput {
  rolloutId: string;
}
/** `deployModel`, workflow id `deploy-<rolloutId>`. */
export const rolloutStatusQuery = defineQuery<RolloutStatus>('status');
export const pauseUpdate = defineUpdate<RolloutStatus, [{ by: string; reason: string }]>('pause');
export const resumeUpdate = defineUpdate<RolloutStatus, [{ by: string }]>('resume');
export const approveUpdate = defineUpdate<RolloutStatus, [{ by: string }]>('approve');
export const abortUpdate = defineUpdate<RolloutStatus, [{ by: string; reason: string }]>('abort');

export type PlacingStage = 'fetch' | 'start' | 'calibrate';
/** From a `placeReplica` child to the rollout that waits for it: a stage is behind it. */
export interface ReplicaProgress {
  replicaId: string;
  passed: PlacingStage;
  /** What came of it, one line. */
  detail: string;
}
export const replicaProgressSignal = defineSignal<[ReplicaProgress]>('replicaProgress');

export interface DrainNodeInput {
  host: string;
  requestedBy: string;
}
export interface DrainStatus {
  host: string;
  phase: DrainPhase;
  reason: string;
  planId: string | null;
  /** Replicas still to leave. */
  remaining: string[];
  waiting: Refusal[];
  receipt: DrainReceipt | null;
}
/** `drainNode`, workflow id `drain-<host>`. */
export const drainStatusQuery = defineQuery<DrainStatus>('status');
/** Stops a drain: what has moved stays moved, the host takes work again. */
export const cancelDrainUpdate = defineUpdate<DrainStatus, [{ by: string }]>('cancel');

/** `retireDeployment`, workflow id `retire-deployment-<deployment>`. */
export interface RetireDeploymentInput {
  deployment: string;
  requestedBy: string;
}

export interface RebalanceInput {
  dryRun: boolean;
  requestedBy: string;
}
export interface RebalanceResult {
  planId: string | null;
  outcome: 'nothing-to-do' | 'dry-run' | 'moved' | 'waiting' | 'skipped';
  reason: string;
  summary: PlanSummary | null;
}

export interface MonitorInput {
  /** From one look to the next. */
  everySeconds: number;
  /** How long it goes on looking. */
  forSeconds: number;
}
/** What a run of `monitorCluster` came to, or stands at. */
export interface MonitorStatus {
  looks: number;
  /** Of the last look: what is not as predicted, one line each. */
  findings: string[];
  /** Corrections begun, undone and refused in this run, one line each. */
  done: string[];
  /** In force now. */
  active: number;
}
/** `monitorCluster`, workflow id `monitor-cluster`. */
export const monitorStatusQuery = defineQuery<MonitorStatus>('status');
/** Something happened that is worth a look now. */
export const lookSignal = defineSignal('look');

export interface HostPresenceInput {
  host: string;
}
/** A host worker has started: whatever was known of its host is to be looked at anew. `hostPresence`, workflow id `host-<name>`. */
export const hostWorkerStartedSignal = defineSignal('workerStarted');
