/**
 * What will be done to an installation, and when: of a seed alone. A target is a draw, which picks one of those that there are by then; hosts,
 * gateways and servers are always the same, engines as far as the system has placed them alike.
 */
import { createRandom, type Random } from '../../core/simulator/random.ts';

export const FAULT_KINDS = [
  'kill-control',
  'kill-host-worker',
  'kill-gateway',
  'kill-engine',
  'kill-postgres',
  'kill-temporal',
  'cut-host',
  'fill-disk',
  'delay-answers',
] as const;
export type FaultKind = (typeof FAULT_KINDS)[number];

export const OPERATION_KINDS = ['deploy', 'drain', 'rebalance'] as const;
export type OperationKind = (typeof OPERATION_KINDS)[number];

export interface Planned<K> {
  kind: K;
  /** Since the start. */
  atMs: number;
  /** From 0 to below 1: which of the targets. */
  draw: number;
}

export interface PlannedFault extends Planned<FaultKind> {
  /** Until it is mended. */
  lastsMs: number;
}

export interface Schedule {
  faults: PlannedFault[];
  operations: Planned<OperationKind>[];
}

export interface ScheduleOptions {
  seed: number;
  forMs: number;
  faults: number;
  /** Longest that a host stays cut off. */
  longestCutMs: number;
}

/** Shortest and longest, ms: what is killed is started again after it, as a supervisor would. */
const LASTS_MS: Readonly<Record<FaultKind, readonly [number, number]>> = {
  'kill-control': [300, 3000],
  'kill-host-worker': [300, 5000],
  'kill-gateway': [300, 3000],
  'kill-engine': [0, 0],
  'kill-postgres': [300, 4000],
  'kill-temporal': [300, 4000],
  'cut-host': [4000, Number.POSITIVE_INFINITY],
  'fill-disk': [4000, 10_000],
  'delay-answers': [3000, 8000],
};
/** Faults to one operation. */
const FAULTS_PER_OPERATION = 1.5;

export function planChaos({ seed, forMs, faults, longestCutMs }: ScheduleOptions): Schedule {
  const random = createRandom(`chaos ${seed}`);
  const kinds = bags(FAULT_KINDS, faults, random);
  const operations = bags(OPERATION_KINDS, Math.ceil(faults / FAULTS_PER_OPERATION), random);
  return {
    faults: spread(kinds, forMs, random).map((planned) => {
      const [shortest, longest] = LASTS_MS[planned.kind];
      return { ...planned, lastsMs: Math.round(shortest + random() * (Math.min(longest, longestCutMs) - shortest)) };
    }),
    operations: spread(operations, forMs, random),
  };
}

/** Every kind once before any comes again. */
function bags<K>(kinds: readonly K[], count: number, random: Random): K[] {
  const drawn: K[] = [];
  while (drawn.length < count) {
    const bag = [...kinds];
    while (bag.length > 0) drawn.push(...bag.splice(Math.floor(random() * bag.length), 1));
  }
  return drawn.slice(0, count);
}

/** One in each equal part of the time, anywhere in it. */
function spread<K>(kinds: readonly K[], forMs: number, random: Random): Planned<K>[] {
  return kinds.map((kind, i) => ({ kind, atMs: Math.round(((i + random()) / kinds.length) * forMs), draw: random() }));
}
