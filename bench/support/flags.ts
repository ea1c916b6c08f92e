/** What flags of a benchmark hold. */
import { UellmError } from '../../core/domain/errors.ts';

/** @param allowed for people: `a whole number from 1 to 100` @throws invalid-input */
export function numberFlag(flag: string, given: string, isAllowed: (value: number) => boolean, allowed: string): number {
  const value = given.trim() === '' ? Number.NaN : Number(given);
  if (!isAllowed(value)) throw invalidFlag(flag, given, allowed);
  return value;
}

/** @throws invalid-input */
export function wholeNumberFlag(flag: string, given: string, least: number, most: number): number {
  const isAllowed = (n: number) => Number.isInteger(n) && n >= least && n <= most;
  return numberFlag(flag, given, isAllowed, `a whole number from ${least} to ${most}`);
}

export function invalidFlag(field: string, given: string, allowed: string): UellmError {
  return new UellmError({ kind: 'invalid-input', what: 'bench', issues: [{ field, given: JSON.stringify(given), allowed }] });
}
