/** Every workflow ends in a right state: none is stuck, none died, and one that gave up has left nothing behind. */

export interface WorkflowRun {
  workflowId: string;
  type: string;
  status: string;
  /** Attempts of the workflow task under way; 1 is the first. */
  taskAttempts: number;
}

/** For ever. */
const LIVES_ON = 'hostPresence';
/** What a fault may fail; it unwinds then. Of a move called off the old replica lives on, of the others theirs has ended. */
const MAY_FAIL = ['placeReplica', 'restoreReplica', 'moveReplica'];
/** Its code fails where it is run again and again. */
const FAILING_ATTEMPTS = 5;

/**
 * For a system that has come to rest.
 * @param livingReplicas ids
 */
export function wrongWorkflows(runs: readonly WorkflowRun[], livingReplicas: readonly string[]): string[] {
  return runs.flatMap(({ workflowId, type, status, taskAttempts }) => {
    const named = `${type} ${workflowId}`;
    switch (status) {
      case 'RUNNING':
        if (taskAttempts >= FAILING_ATTEMPTS) return [`${named} fails in its code, for the ${taskAttempts}th time`];
        return type === LIVES_ON ? [] : [`${named} does not end`];
      case 'FAILED': {
        if (!MAY_FAIL.includes(type)) return [`${named} failed`];
        const left = livingReplicas.find((id) => workflowId === `place-${id}` || workflowId.startsWith(`restore-${id}-g`));
        return left === undefined ? [] : [`${named} failed, and its replica lives on`];
      }
      case 'TIMED_OUT':
      case 'TERMINATED':
        return [`${named} is ${status.toLowerCase()}`];
      default:
        return [];
    }
  });
}
