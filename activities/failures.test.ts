import { ApplicationFailure } from '@temporalio/common';
import { describe, expect, it } from 'vitest';
import { UellmError } from '../core/domain/errors.ts';
import { toFailure, withFailures } from './failures.ts';

describe('errors as Temporal failures', () => {
  it('carry their kind and detail, and are final where trying again cannot help', () => {
    const failure = toFailure(new UellmError({ kind: 'conflict', what: 'replica', name: 'r1', reason: 'stopped' })) as ApplicationFailure;
    expect(failure).toBeInstanceOf(ApplicationFailure);
    expect(failure).toMatchObject({ type: 'conflict', nonRetryable: true, details: [{ kind: 'conflict', name: 'r1' }] });
  });

  it('are tried again where something is merely away, or not yet there', () => {
    for (const error of [
      new UellmError({ kind: 'unavailable', what: 'x', reason: 'y' }),
      new UellmError({ kind: 'not-found', what: 'x', name: 'y' }),
    ]) {
      expect(toFailure(error)).toMatchObject({ nonRetryable: false });
    }
  });

  it('leave foreign errors as they are', async () => {
    const error = new Error('socket hang up');
    await expect(withFailures({ run: async () => Promise.reject(error) }).run()).rejects.toBe(error);
  });
});
