/** The activities as workflows call them, with the timeouts and retries that fit each sort. Types only: the code runs elsewhere. */
import { ActivityCancellationType, type ActivityInterfaceFor, proxyActivities } from '@temporalio/workflow';
import type { ControlActivities, HostActivities } from '../activities/index.ts';
import { CONTROL_TASK_QUEUE, hostTaskQueue } from './messages.ts';

const RETRY = { initialInterval: '200ms', backoffCoefficient: 2, maximumInterval: '10s' } as const;

/** Short work beside the database: a killed worker costs at most five seconds. Tried until it succeeds, unless the error is final. */
export const control: ActivityInterfaceFor<ControlActivities> = proxyActivities<ControlActivities>({
  taskQueue: CONTROL_TASK_QUEUE,
  startToCloseTimeout: '5s',
  retry: RETRY,
});

/** Planning looks at the whole fleet, and waits its turn. */
export const planning: Pick<
  ActivityInterfaceFor<ControlActivities>,
  'profileModel' | 'planPlacement' | 'applyPlan' | 'proposeMoves' | 'beginProposal'
> = proxyActivities<ControlActivities>({
  taskQueue: CONTROL_TASK_QUEUE,
  startToCloseTimeout: '20s',
  retry: RETRY,
});

/** The same, for what may be missing for a moment and is given up then. */
export const controlBriefly: ActivityInterfaceFor<ControlActivities> = proxyActivities<ControlActivities>({
  taskQueue: CONTROL_TASK_QUEUE,
  startToCloseTimeout: '5s',
  retry: { ...RETRY, maximumInterval: '2s', maximumAttempts: 8 },
});

/** A look at the whole cluster. One that fails is not made up for: the next is due in a few seconds. */
export const looking: Pick<ActivityInterfaceFor<ControlActivities>, 'lookAtCluster'> = proxyActivities<ControlActivities>({
  taskQueue: CONTROL_TASK_QUEUE,
  startToCloseTimeout: '20s',
  retry: { ...RETRY, maximumAttempts: 3 },
});

/** Waiting for requests to end: as long as the longest stream takes, with heartbeats, so that a dead worker is noticed. */
export const controlWaiting: ActivityInterfaceFor<ControlActivities> = proxyActivities<ControlActivities>({
  taskQueue: CONTROL_TASK_QUEUE,
  startToCloseTimeout: '2h',
  heartbeatTimeout: '5s',
  retry: RETRY,
  cancellationType: ActivityCancellationType.TRY_CANCEL,
});

/** Work on a host: waits for a host worker that is away, notices one that dies, gives up after three failures of its own. */
export function onHost(host: string): ActivityInterfaceFor<HostActivities> {
  return proxyActivities<HostActivities>({
    taskQueue: hostTaskQueue(host),
    startToCloseTimeout: '30m',
    heartbeatTimeout: '15s',
    retry: { ...RETRY, maximumAttempts: 3, nonRetryableErrorTypes: ['engine-failed'] },
    cancellationType: ActivityCancellationType.WAIT_CANCELLATION_COMPLETED,
  });
}

/**
 * Fetching weights takes as long as bytes advance, hours for a large model from a slow share. The activity goes on where the last attempt
 * ended, and gives up by itself once nothing has advanced for a while.
 */
export function fetchingOnHost(host: string): Pick<ActivityInterfaceFor<HostActivities>, 'fetchWeights'> {
  return proxyActivities<HostActivities>({
    taskQueue: hostTaskQueue(host),
    startToCloseTimeout: '30 days',
    heartbeatTimeout: '10s',
    retry: { ...RETRY, nonRetryableErrorTypes: ['engine-failed'] },
    cancellationType: ActivityCancellationType.WAIT_CANCELLATION_COMPLETED,
  });
}

/** Clean-up on a host that may be gone for good: bounded, so that whoever waits goes on. What is left running there is ended when it returns. */
export function onHostBounded(host: string): ActivityInterfaceFor<HostActivities> {
  return proxyActivities<HostActivities>({
    taskQueue: hostTaskQueue(host),
    scheduleToStartTimeout: '60s',
    startToCloseTimeout: '10m',
    heartbeatTimeout: '15s',
    retry: { ...RETRY, maximumAttempts: 3 },
    cancellationType: ActivityCancellationType.WAIT_CANCELLATION_COMPLETED,
  });
}
