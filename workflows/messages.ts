/**
 * Every message a workflow takes, and the names and ids by which workflows are found. Callers outside import this file only.
 * An update where the caller needs the answer (its validator is synchronous: the SDK drops a promise), a query to read.
 */
import { defineQuery, defineSignal, defineUpdate } from '@temporalio/workflow';
import type { DeadlinePolicy, DrainOptions, DrainPhase, DrainReceipt, OpenRequests, RetiredReplica } from '../core/domain/drain.ts';
import type { PlaceMove, PlanSummary } from '../core/domain/plan.ts';
import type { ProposalState } from '../core/domain/proposal.ts';
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
  move: (replicaId: string) => `move-${replicaId}`,
  place: (replicaId: string) => `place-${replicaId}`,
  proposal: (id: string) => `proposal-${id}`,
  readLog: (id: string) => `read-log-${id}`,
  reload: (replicaId: string) => `reload-${replicaId}`,
  replace: 'replace-cluster',
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

/** From a rollout that waits to the one that runs: a newer revision is wanted. What is not promoted yet is undone. */
export const supersededSignal = defineSignal<[{ by: string }]>('superseded');
/** The answer, at its end. */
export const turnSignal = defineSignal('turn');

export type PlacingStage = 'fetch' | 'start' | 'calibrate';
/** From a `placeReplica` child to the rollout that waits for it: a stage is behind it. */
export interface ReplicaProgress {
  replicaId: string;
  passed: PlacingStage;
  /** It is not behind it yet: the detail says how far it is. */
  underway?: true;
  /** What came of it, one line. */
  detail: string;
}
export const replicaProgressSignal = defineSignal<[ReplicaProgress]>('replicaProgress');
/** From the activity that fetches weights to `placeReplica`: how far it is, one line, now and then. */
export const weightsProgressSignal = defineSignal<[string]>('weightsProgress');

/** `reloadReplica`, workflow id `reload-<replica>`. */
export interface ReloadInput {
  replicaId: string;
  /** To serve. */
  revision: number;
  reason: string;
  /** It served this before and is to serve it again: should it not load, its engine is started anew with it. */
  isReturn?: true;
}

/** `moveReplica`, workflow id `move-<replica that leaves, or else the one that arrives>`. */
export interface MoveInput {
  place: PlaceMove | null;
  leaving: string | null;
  reason: string;
  /** Since the epoch: requests that still run then on the replica that leaves are ended; null for never. */
  untilMs: number | null;
}
export interface MoveOutcome {
  /** The replica that left; null where one was only added. */
  retired: RetiredReplica | null;
  placed: { replicaId: string; host: string } | null;
  seconds: number;
}

export interface DrainNodeInput extends DrainOptions {
  host: string;
  requestedBy: string;
  /** What a run hands on when it continues as new. */
  state?: DrainState;
}
export interface DrainState {
  /** Since the epoch. */
  beganMs: number;
  moved: MoveOutcome[];
  failedRounds: number;
}
export interface DrainStatus {
  host: string;
  phase: DrainPhase;
  reason: string;
  planId: string | null;
  /** Replicas still to leave. */
  remaining: string[];
  /** What is open on them, at the last look. */
  open: OpenRequests[];
  /** Since the epoch; null without one. */
  deadlineMs: number | null;
  onDeadline: DeadlinePolicy;
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
  outcome: 'nothing-to-do' | 'dry-run' | 'moved' | 'waiting' | 'skipped' | 'cancelled';
  reason: string;
  summary: PlanSummary | null;
  /** Rollouts, drains and modes for whose sake something was left alone. */
  held: Refusal[];
}
/** `rebalanceCluster`: ends a run under way; its moves that are not done are undone. */
export const cancelRebalanceUpdate = defineUpdate<void, [{ by: string }]>('cancel');

/** `carryOutProposal`, workflow id `proposal-<id>`. */
export interface ProposalInput {
  proposalId: string;
}
export interface ProposalResult {
  state: ProposalState;
  outcome: string;
}
/** The row of the proposal has changed: an operator has decided, or it was withdrawn. */
export const decidedSignal = defineSignal('decided');

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

export interface ReplaceInput {
  reason: string;
  /** Accelerators on which engines did not start: what is missing goes elsewhere. */
  avoid: { host: string; accelerators: number[] }[];
  /** What a run has come to that goes on as a new one. */
  soFar?: ReplaceProgress;
}
export interface ReplaceProgress {
  replaced: number;
  /** Rounds in a row that moved nothing, and when the first of them began, since the epoch. */
  idle: number;
  idleSinceMs: number;
}
export interface ReplaceResult {
  outcome: 'nothing-to-do' | 'replaced' | 'waiting';
  reason: string;
  replaced: number;
}
/** Something more is to be made good. `replaceReplicas`, workflow id `replace-cluster`. */
export const replaceSignal = defineSignal<[ReplaceInput]>('replace');

/** `readLog`, of the last lines of a log that lies on a host. */
export interface ReadLogInput {
  host: string;
  /** Whose engine's; null for the host worker's own. */
  replicaId: string | null;
  /** At most. */
  lines: number;
}

/** What a host's workflow hands on when it continues as new. */
export interface HostPresenceState {
  /** Of the last report. */
  digest: string;
  /** For how long the host was watched and silent since it was suspect, milliseconds; null while it is heard of. */
  silentMs: number | null;
  /** Was it silent together with others, so that nothing was concluded? */
  together: boolean;
}
export interface HostPresenceInput {
  host: string;
  /** From suspect to lost; 60 without it. */
  lostAfterSeconds?: number;
  state?: HostPresenceState;
}
/**
 * A host worker has started: whatever was known of its host is to be looked at anew. With it comes after how many seconds of suspicion the host
 * counts as lost from now on. `hostPresence`, workflow id `host-<name>`.
 */
export const hostWorkerStartedSignal = defineSignal<[number?]>('workerStarted');
