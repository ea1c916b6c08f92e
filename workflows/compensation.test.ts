import { ActivityFailure, ApplicationFailure, CancelledFailure } from '@temporalio/common';
import { expect, it } from 'vitest';
import { reasonOf } from './compensation.ts';

const failed = (cause: Error) =>
  new ActivityFailure('Activity task failed', 'awaitEngineReady', '1', 'NON_RETRYABLE_FAILURE', 'host', cause);

it('has a reason for every failure, also for an activity that was cancelled', () => {
  expect(reasonOf(failed(ApplicationFailure.nonRetryable('no memory')))).toBe('no memory');
  expect(reasonOf(failed(new CancelledFailure('')))).toBe('it was called off');
  expect(reasonOf(new Error('a bug'))).toBe('a bug');
});
