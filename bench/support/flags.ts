/** What flags of a benchmark hold. */
import { type ParseArgsConfig, parseArgs } from 'node:util';
import { messageOf, UellmError } from '../../core/domain/errors.ts';

type Options = NonNullable<ParseArgsConfig['options']>;

/** @returns the flags' texts, by name @throws invalid-input that tells which flags there are */
export function readFlags<const T extends Options>(options: T, args: readonly string[] = process.argv.slice(2)) {
  try {
    return parseArgs({ options, args: [...args] }).values;
  } catch (error) {
    const given = messageOf(error).split('. ')[0]!;
    const allowed = Object.keys(options).map((name) => `--${name}`);
    throw new UellmError({
      kind: 'invalid-input',
      what: 'bench',
      issues: [{ field: 'the command line', given, allowed: allowed.join(', ') }],
    });
  }
}

/** One of some names. @throws invalid-input */
export function nameFlag<T extends string>(flag: string, given: string, allowed: readonly T[]): T {
  const found = allowed.find((candidate) => candidate === given);
  if (found === undefined) throw invalidFlag(flag, given, `one of ${allowed.join(', ')}`);
  return found;
}

/**
 * A benchmark that cannot go on ends with 2, whatever it has open; 1 is for what it measured and found wanting. What is wrong with its command
 * line is told without a stack.
 */
export async function runBench(main: () => void | Promise<void>): Promise<void> {
  try {
    await main();
  } catch (error) {
    console.error(error instanceof UellmError ? error.message : error);
    process.exit(2);
  }
}

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
