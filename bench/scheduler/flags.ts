/** The command line of `npm run bench:scheduler`. */
import { availableParallelism } from 'node:os';
import { nameFlag, numberFlag, readFlags, wholeNumberFlag } from '../support/flags.ts';
import { type Cell, cellsMatching } from './cells.ts';
import { type Choice, POLICIES, TARGETS } from './plan.ts';

export const PARTS = ['cells', 'extras', 'timing'] as const;
export type Part = (typeof PARTS)[number];

export interface Flags extends Choice {
  cells: readonly Cell[] | null;
  parts: ReadonlySet<Part>;
  /** Where one part was asked for by name. */
  only: Part | null;
  resume: boolean;
  /** Folder of the results. */
  out: string;
  threads: number;
}

/** @throws invalid-input */
export function parseFlags(args: readonly string[]): Flags {
  const values = readFlags(
    {
      quick: { type: 'boolean', default: false },
      cells: { type: 'string' },
      policies: { type: 'string' },
      seeds: { type: 'string' },
      targets: { type: 'string' },
      extras: { type: 'boolean', default: false },
      only: { type: 'string' },
      resume: { type: 'boolean', default: false },
      out: { type: 'string', default: 'bench/results' },
      threads: { type: 'string' },
    },
    args,
  );
  const quick = values.quick;
  const only = values.only === undefined ? null : nameFlag('--only', values.only, PARTS);
  return {
    quick,
    cells: values.cells === undefined ? null : cellsMatching(values.cells.split(',')),
    policies: values.policies === undefined ? null : list('--policies', values.policies, POLICIES),
    seeds: values.seeds === undefined ? null : wholeNumberFlag('--seeds', values.seeds, 1, 100),
    targets: values.targets === undefined ? TARGETS : targets(values.targets),
    parts: new Set(only ? [only] : usualParts(quick, values.extras)),
    only,
    resume: values.resume,
    out: values.out,
    threads: values.threads === undefined ? availableParallelism() : wholeNumberFlag('--threads', values.threads, 1, 256),
  };
}

function usualParts(quick: boolean, extras: boolean): readonly Part[] {
  return quick && !extras ? ['cells', 'timing'] : PARTS;
}

function targets(given: string): number[] {
  const isShare = (n: number) => n > 0 && n <= 1;
  return given
    .split(',')
    .map((text) => numberFlag('--targets', text, isShare, 'shares above 0, at most 1'))
    .sort((a, b) => a - b);
}

function list<T extends string>(flag: string, given: string, allowed: readonly T[]): T[] {
  return given.split(',').map((name) => nameFlag(flag, name, allowed));
}
