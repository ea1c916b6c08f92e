/** What is run: in full for the record, quickly for a look. */
import { SCHEDULER_POLICIES } from '../../core/scheduler/registry.ts';
import { CELLS, type Cell, cellNamed } from './cells.ts';
import type { Task } from './task.ts';
import type { WorkloadName } from './workloads.ts';

export interface Size {
  requests: Record<WorkloadName, number>;
  precision: number;
}

/** Chat: the whole trace. */
export const FULL: Size = { requests: { chat: 19_366, mooncake: 6000, reasoning: 12_000, summarise: 6000 }, precision: 0.01 };
export const QUICK: Size = { requests: { chat: 8000, mooncake: 2500, reasoning: 4000, summarise: 3000 }, precision: 0.02 };

export const OURS = 'uellm';
export const PLAINEST = 'least-in-flight';
export const TARGETS = [0.9, 0.99];
export const SEEDS = 3;

/**
 * Static batching is what these are for, and `npm run bench:paper` has them in it. On engines that batch continuously `morphling` is
 * `fcfs` under another name, and `s3` serves the longest answer first, whoever waits.
 */
const STATIC_ONLY = ['s3', 'morphling'];

export const POLICIES: readonly string[] = SCHEDULER_POLICIES.map(({ name }) => name).filter((name) => !STATIC_ONLY.includes(name));
/** The plainest, and those that are hardest to beat. */
const QUICK_POLICIES: readonly string[] = [PLAINEST, 'shortest-predicted-ttft', 'slo-odbs', 'edf', OURS];

/** Each traffic and each fleet twice. */
export const QUICK_CELLS: readonly string[] = [
  'chat/h4/fixed',
  'chat/mixed/scaled',
  'mooncake/mixed/fixed',
  'mooncake/70b/scaled',
  'reasoning/h4/scaled',
  'reasoning/kv/fixed',
  'summarise/70b/fixed',
  'summarise/kv/scaled',
];

export interface Choice {
  quick: boolean;
  /** Those of the form where null. */
  cells: readonly Cell[] | null;
  policies: readonly string[] | null;
  seeds: number | null;
  targets: readonly number[];
}

/** By workload and seed, since a thread keeps the last workload it read. */
export function planCells({ quick, cells, policies, seeds, targets }: Choice): Task[] {
  const chosen = cells ?? (quick ? QUICK_CELLS.map(cellNamed) : CELLS);
  const names = policies ?? (quick ? QUICK_POLICIES : POLICIES);
  const tasks = chosen.flatMap((cell) =>
    seedsUpTo(seeds ?? SEEDS).flatMap((seed) => names.map((policy) => searchTask(cell, { policy, seed, targets }, quick ? QUICK : FULL))),
  );
  const rank = ({ cell, seed }: Task) => CELLS.findIndex(({ name }) => name === cell) + seed / 1000;
  const workload = (task: Task) => cellNamed(task.cell).workload;
  return tasks.sort((a, b) => (workload(a) === workload(b) ? a.seed - b.seed : 0) || rank(a) - rank(b));
}

export function seedsUpTo(count: number): number[] {
  return Array.from({ length: count }, (_, i) => i + 1);
}

type Subject = Pick<Task, 'policy' | 'seed' | 'targets'> & Partial<Pick<Task, 'changes' | 'predictor' | 'disturbance' | 'atRate'>>;

export function searchTask(cell: Cell, subject: Subject, { requests, precision }: Size): Task {
  return {
    cell: cell.name,
    changes: {},
    predictor: 'learned',
    disturbance: {},
    atRate: null,
    ...subject,
    requests: requests[cell.workload],
    precision,
  };
}
