/** The one mapper from uellm's errors to Temporal's failures. */
import { ApplicationFailure } from '@temporalio/common';
import { UellmError, type UellmErrorKind } from '../core/domain/errors.ts';

/** Trying again cannot help these. */
const FINAL: ReadonlySet<UellmErrorKind> = new Set([
  'invalid-input',
  'conflict',
  'refused',
  'stale-generation',
  'disk-full',
  'unauthorized',
  'forbidden',
]);

/** An `ApplicationFailure` whose type is the error's kind; what is not a `UellmError` passes unchanged and is tried again. */
export function toFailure(error: unknown): unknown {
  if (!(error instanceof UellmError)) return error;
  return ApplicationFailure.create({
    message: error.message,
    type: error.detail.kind,
    nonRetryable: FINAL.has(error.detail.kind),
    details: [error.detail],
    cause: error,
  });
}

type Activities = Record<string, (...args: never[]) => Promise<unknown>>;

/** Every activity with its errors mapped. */
export function withFailures<A extends object>(activities: A): A {
  const mapped: Record<string, unknown> = {};
  for (const [name, activity] of Object.entries(activities as unknown as Activities)) {
    mapped[name] = async (...args: never[]) => {
      try {
        return await activity(...args);
      } catch (error) {
        throw toFailure(error);
      }
    };
  }
  return mapped as A;
}
