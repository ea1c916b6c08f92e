/** `WorkflowActions` by Temporal. Workflows are named by type and found by id; nothing of their code is loaded here but the messages they take. */
import { randomUUID } from 'node:crypto';
import {
  type Client,
  isGrpcServiceError,
  ServiceError,
  WorkflowExecutionAlreadyStartedError,
  WorkflowFailedError,
  type WorkflowHandle,
  WorkflowNotFoundError,
  type WorkflowStartOptions,
  WorkflowUpdateFailedError,
  WorkflowUpdateRPCTimeoutOrCancelledError,
} from '@temporalio/client';
import { ApplicationFailure, rootCause, TimeoutFailure } from '@temporalio/common';
import { assertNever, conflict, messageOf, notFound, UellmError } from '../core/domain/errors.ts';
import type { LogTail } from '../core/domain/log-tail.ts';
import type { RolloutStatus } from '../core/domain/rollout.ts';
import {
  abortUpdate,
  approveUpdate,
  CONTROL_TASK_QUEUE,
  cancelDrainUpdate,
  cancelRebalanceUpdate,
  type DeployModelInput,
  type DrainNodeInput,
  type DrainStatus,
  decidedSignal,
  drainStatusQuery,
  type ProposalInput,
  pauseUpdate,
  type ReadLogInput,
  type RebalanceInput,
  type RebalanceResult,
  type RetireDeploymentInput,
  resumeUpdate,
  workflowIds,
} from '../workflows/messages.ts';
import { NO_DRAIN, type RolloutAction, type WorkflowActions } from './actions.ts';
import { changeSchedule, readSchedules } from './temporal-schedules.ts';

/** Longest that a call may take: an update or a query waits for a worker, and there may be none. */
const DEADLINE_MS = 5000;
const PING_DEADLINE_MS = 2000;

export function createTemporalActions(client: Client): WorkflowActions {
  return {
    async ping() {
      await bounded(client, () => client.workflowService.getSystemInfo({}), PING_DEADLINE_MS);
    },

    async startDeploy(rolloutId) {
      const input: DeployModelInput = { rolloutId };
      await start(client, 'deployModel', {
        args: [input],
        workflowId: workflowIds.deploy(rolloutId),
        // The rollout's row is the lock. A run that was left behind by a failed commit is waiting for that row: it takes this one.
        workflowIdConflictPolicy: 'USE_EXISTING',
        staticSummary: `rollout ${rolloutId}`,
      });
    },

    async updateRollout(rolloutId, action, request) {
      const handle = client.workflow.getHandle(workflowIds.deploy(rolloutId));
      try {
        return await answered(client, () => updateOf(handle, action, request));
      } catch (error) {
        throw declined(error, 'rollout', rolloutId, action);
      }
    },

    async tellProposal(proposalId) {
      const input: ProposalInput = { proposalId };
      await bounded(client, () =>
        client.workflow.signalWithStart('carryOutProposal', {
          args: [input],
          workflowId: workflowIds.proposal(proposalId),
          taskQueue: CONTROL_TASK_QUEUE,
          workflowIdReusePolicy: 'ALLOW_DUPLICATE',
          signal: decidedSignal,
          signalArgs: [],
          staticSummary: `proposal ${proposalId}`,
        }),
      );
    },

    async startRetirement(deployment, requestedBy) {
      const input: RetireDeploymentInput = { deployment, requestedBy };
      await start(client, 'retireDeployment', {
        args: [input],
        workflowId: workflowIds.retireDeployment(deployment),
        workflowIdConflictPolicy: 'USE_EXISTING', // it goes on until nothing is left
        staticSummary: `replicas of the deleted deployment ${deployment}`,
      });
    },

    async startDrain(host, requestedBy, options = {}) {
      const input: DrainNodeInput = { ...options, host, requestedBy };
      try {
        await start(client, 'drainNode', { args: [input], workflowId: workflowIds.drain(host), staticSummary: `drain of host ${host}` });
      } catch (error) {
        if (error instanceof WorkflowExecutionAlreadyStartedError) throw conflict('host', host, 'a drain of it is running already');
        throw error;
      }
    },

    async drainStatus(host) {
      const handle = client.workflow.getHandle<() => Promise<DrainStatus>>(workflowIds.drain(host));
      const description = await describe(client, handle);
      if (!description) return null;
      if (description.status.name === 'RUNNING')
        return { running: true, status: await answered(client, () => handle.query(drainStatusQuery)) };
      try {
        return { running: false, status: await bounded(client, () => handle.result()) };
      } catch (error) {
        if (!(error instanceof WorkflowFailedError)) throw error;
        return { running: false, status: { ...NO_DRAIN, host, phase: 'failed', reason: rootMessage(error) } };
      }
    },

    async cancelDrain(host, by) {
      const handle = client.workflow.getHandle(workflowIds.drain(host));
      try {
        await answered(client, () => handle.executeUpdate(cancelDrainUpdate, { args: [{ by }] }));
        return true;
      } catch (error) {
        if (error instanceof WorkflowNotFoundError) return false;
        throw declined(error, 'host', host, 'cancel');
      }
    },

    async startRebalance(workflowId, request) {
      const input: RebalanceInput = request;
      const staticSummary = request.dryRun ? 'rebalance, dry run' : 'rebalance on demand';
      try {
        await start(client, 'rebalanceCluster', { args: [input], workflowId, staticSummary });
      } catch (error) {
        if (error instanceof WorkflowExecutionAlreadyStartedError) throw conflict('rebalance', workflowId, 'one is running already');
        throw error;
      }
    },

    async cancelRebalance(by) {
      const handle = client.workflow.getHandle(workflowIds.rebalance);
      try {
        await answered(client, () => handle.executeUpdate(cancelRebalanceUpdate, { args: [{ by }] }));
        return true;
      } catch (error) {
        if (error instanceof WorkflowNotFoundError) return false;
        throw declined(error, 'rebalance', workflowIds.rebalance, 'cancel');
      }
    },

    async readLog(input) {
      try {
        return await answered(client, () =>
          client.workflow.execute<(given: ReadLogInput) => Promise<LogTail>>('readLog', {
            args: [input],
            taskQueue: CONTROL_TASK_QUEUE,
            workflowId: workflowIds.readLog(randomUUID()),
            workflowExecutionTimeout: 2 * DEADLINE_MS, // nobody waits any more
            staticSummary: input.replicaId === null ? `log of host ${input.host}` : `log of replica ${input.replicaId}`,
          }),
        );
      } catch (error) {
        throw unreadable(error, input);
      }
    },

    async schedules() {
      return bounded(client, () => readSchedules(client));
    },

    async changeSchedule(name, change) {
      return bounded(client, () => changeSchedule(client, name, change));
    },

    async rebalance(workflowId) {
      const handle = client.workflow.getHandle<() => Promise<RebalanceResult>>(workflowId);
      const description = await describe(client, handle);
      if (description?.type !== 'rebalanceCluster') return null;
      if (description.status.name === 'RUNNING') return { state: 'running' };
      try {
        return { state: 'completed', result: await bounded(client, () => handle.result()) };
      } catch (error) {
        if (error instanceof WorkflowFailedError) return { state: 'failed', failure: rootMessage(error) };
        throw error;
      }
    },
  };
}

function updateOf(handle: WorkflowHandle, action: RolloutAction, { by, reason }: { by: string; reason: string }): Promise<RolloutStatus> {
  switch (action) {
    case 'pause':
      return handle.executeUpdate(pauseUpdate, { args: [{ by, reason }] });
    case 'resume':
      return handle.executeUpdate(resumeUpdate, { args: [{ by }] });
    case 'approve':
      return handle.executeUpdate(approveUpdate, { args: [{ by }] });
    case 'abort':
      return handle.executeUpdate(abortUpdate, { args: [{ by, reason }] });
    default:
      return assertNever(action);
  }
}

async function start(client: Client, type: string, options: Omit<WorkflowStartOptions, 'taskQueue'>): Promise<void> {
  await bounded(client, () =>
    client.workflow.start(type, {
      taskQueue: CONTROL_TASK_QUEUE,
      workflowIdReusePolicy: 'ALLOW_DUPLICATE',
      workflowIdConflictPolicy: 'FAIL',
      ...options,
    } as WorkflowStartOptions),
  );
}

async function describe(client: Client, handle: WorkflowHandle) {
  try {
    return await bounded(client, () => handle.describe());
  } catch (error) {
    if (error instanceof WorkflowNotFoundError) return null;
    throw error;
  }
}

/** A call that Temporal itself answers, under the deadline. @throws unavailable */
async function bounded<T>(client: Client, call: () => Promise<T>, deadlineMs = DEADLINE_MS): Promise<T> {
  try {
    return await client.withDeadline(Date.now() + deadlineMs, call);
  } catch (error) {
    if (!isAboutTheService(error)) throw error;
    throw new UellmError({ kind: 'unavailable', what: 'Temporal', reason: rootMessage(error) }, { cause: error });
  }
}

/** A call that a worker answers by way of Temporal, under the deadline. @throws unavailable */
async function answered<T>(client: Client, call: () => Promise<T>): Promise<T> {
  try {
    return await client.withDeadline(Date.now() + DEADLINE_MS, call);
  } catch (error) {
    if (!isAboutTheService(error) && !(error instanceof WorkflowUpdateRPCTimeoutOrCancelledError)) throw error;
    const reason = `no control worker answered within ${DEADLINE_MS / 1000} s; what was asked may still take effect when one does`;
    throw new UellmError({ kind: 'unavailable', what: 'the control worker', reason }, { cause: error });
  }
}

/** The connection or the service failed, rather than the workflow that was meant. */
function isAboutTheService(error: unknown): boolean {
  return error instanceof ServiceError || isGrpcServiceError(error);
}

function unreadable(error: unknown, { host, replicaId }: ReadLogInput): unknown {
  if (!(error instanceof WorkflowFailedError)) return error;
  const cause = error.cause?.cause;
  if (cause instanceof ApplicationFailure && cause.type === 'not-found') return notFound('log of replica', `${replicaId}`);
  if (!(cause instanceof TimeoutFailure)) return error;
  return new UellmError(
    { kind: 'unavailable', what: `the worker of host ${host}`, reason: "it does not answer; does 'uellm host' run there?" },
    { cause: error },
  );
}

function declined(error: unknown, what: string, name: string, action: RolloutAction | 'cancel'): unknown {
  if (error instanceof WorkflowNotFoundError) return notFound(`running workflow of ${what}`, name);
  if (error instanceof WorkflowUpdateFailedError) return conflict(what, name, `cannot ${action}: ${rootMessage(error)}`);
  return error;
}

/** The words it began with. What the client throws for a workflow or an update that failed only wraps them. */
function rootMessage(error: unknown): string {
  const wraps = error instanceof WorkflowUpdateFailedError || error instanceof WorkflowFailedError;
  const failure = wraps ? (error.cause ?? error) : error;
  return rootCause(failure) ?? messageOf(failure);
}
