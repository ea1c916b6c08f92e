/** The command line of `npm run bench:placement`. */
import { nameFlag, numberFlag, readFlags, wholeNumberFlag } from '../support/flags.ts';

export const PARTS = ['instances', 'time', 'links', 'capacity'] as const;
export type Part = (typeof PARTS)[number];

export interface Flags {
  quick: boolean;
  parts: ReadonlySet<Part>;
  /** Where one part was asked for by name. */
  only: Part | null;
  /** Seeds of the instances. */
  seeds: number[];
  /** Of everything that is timed. */
  rounds: number;
  /** Hosts of the large fleets, the smallest first. */
  largeFleets: number[];
  /** Of the shapes whose capacity is compared with simulation. */
  capacityShare: number;
  /** Folder of the results. */
  out: string;
}

const INSTANCES = 200;
const QUICK_INSTANCES = 40;
const ROUNDS = 5;
const QUICK_ROUNDS = 1;
/** All shapes take an hour and more. */
const SHARE = 0.05;
const QUICK_SHARE = 0.02;

/** @throws invalid-input */
export function parseFlags(args: readonly string[]): Flags {
  const values = readFlags(
    {
      quick: { type: 'boolean', default: false },
      only: { type: 'string' },
      instances: { type: 'string' },
      seed: { type: 'string', default: '1' },
      rounds: { type: 'string' },
      'capacity-share': { type: 'string' },
      out: { type: 'string', default: 'bench/results' },
    },
    args,
  );
  const { quick } = values;
  const only = values.only === undefined ? null : nameFlag('--only', values.only, PARTS);
  const instances = wholeNumberFlag('--instances', values.instances ?? String(quick ? QUICK_INSTANCES : INSTANCES), 1, 100_000);
  const first = wholeNumberFlag('--seed', values.seed, 1, 1_000_000);
  return {
    quick,
    parts: new Set(only ? [only] : PARTS),
    only,
    seeds: Array.from({ length: instances }, (_, i) => first + i),
    rounds: wholeNumberFlag('--rounds', values.rounds ?? String(quick ? QUICK_ROUNDS : ROUNDS), 1, 100),
    largeFleets: quick ? [100, 1000] : [100, 300, 1000],
    capacityShare: numberFlag(
      '--capacity-share',
      values['capacity-share'] ?? String(quick ? QUICK_SHARE : SHARE),
      (share) => share > 0 && share <= 1,
      'a share above 0, at most 1',
    ),
    out: values.out,
  };
}
