import { WorkflowExecutionAlreadyStartedError } from '@temporalio/common';
import { sleep } from '@temporalio/workflow';

const FIRST_WAIT_MS = 1000;
const LONGEST_WAIT_MS = 20_000;

/** Runs a child workflow of which one goes at a time; where another has begun the same, waits until that has ended. */
export async function whenFree<T>(run: () => Promise<T>): Promise<T> {
  for (let waitMs = FIRST_WAIT_MS; ; waitMs = Math.min(LONGEST_WAIT_MS, waitMs * 1.5)) {
    try {
      return await run();
    } catch (error) {
      if (!(error instanceof WorkflowExecutionAlreadyStartedError)) throw error;
      await sleep(waitMs);
    }
  }
}
