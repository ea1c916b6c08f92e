/** Carries out a task with the production scheduler in the simulator. */
import { createUellm } from '../../core/scheduler/policies/uellm.ts';
import { schedulerPolicy } from '../../core/scheduler/registry.ts';
import type { SchedulerPolicy } from '../../core/scheduler/types.ts';
import type { Run } from '../../core/simulator/run.ts';
import { largestRate } from '../../core/simulator/search.ts';
import { runSimulation } from '../../core/simulator/simulation.ts';
import type { TraceRequest } from '../../core/simulator/traces/rows.ts';
import { cellNamed } from './cells.ts';
import { FLEET, fleetReplicas } from './fleets.ts';
import { sloClasses } from './slos.ts';
import type { Task, TaskResult } from './task.ts';
import { loadWorkload } from './workloads.ts';

/** A policy that attains at no rate down to this share of the cell's usual one is of no use there, and slow runs are long. */
const LEAST_OF_USUAL_RATE = 1 / 64;

/** @param data `../shared/data` */
export function runTask(task: Task, data: string): TaskResult {
  const startedMs = performance.now();
  const cell = cellNamed(task.cell);
  const trace = cachedWorkload(cell.workload, task, data);
  const replicas = fleetReplicas(FLEET[cell.fleet]);
  const classes = sloClasses(cell.workload, cell.slo);
  const policy = policyOf(task);
  const byRate = new Map<number, Run>();
  const runAt = (rateScale: number): Run => {
    const known = byRate.get(rateScale);
    if (known) return known;
    const { predictor, seed, disturbance } = task;
    const run = runSimulation({ trace, replicas, classes, policy, predictor, rateScale, seed, ...disturbance });
    byRate.set(rateScale, run);
    return run;
  };
  const limits = { startRate: cell.usualRate, precision: task.precision, leastRate: cell.usualRate * LEAST_OF_USUAL_RATE };
  const found = task.targets.map((target) => ({ target, run: searched(target, limits, byRate, runAt) }));
  const atRate = task.atRate === null ? null : runAt(task.atRate);
  const visited = [...byRate.values()].map(({ rateScale, attainment }) => ({ rateScale, attainment }));
  visited.sort((a, b) => a.rateScale - b.rateScale);
  return { found, atRate, visited, seconds: (performance.now() - startedMs) / 1000 };
}

interface SearchLimits {
  startRate: number;
  precision: number;
  leastRate: number;
}

/** Attainment is taken to fall with the rate: what is above a rate known to fail, or below where it is worth looking, is not run. */
function searched(
  attainment: number,
  { startRate, precision, leastRate }: SearchLimits,
  byRate: ReadonlyMap<number, Run>,
  runAt: (rateScale: number) => Run,
): Run | null {
  const attaining = [...byRate.values()].filter((run) => run.attainment >= attainment).map((run) => run.rateScale);
  const failed = (rateScale: number) => [...byRate.values()].find((run) => run.attainment < attainment && run.rateScale <= rateScale);
  const slowest = () => [...byRate.values()].reduce((least, run) => (run.rateScale < least.rateScale ? run : least));
  return largestRate((rateScale) => failed(rateScale) ?? (rateScale < leastRate ? slowest() : runAt(rateScale)), {
    attainment,
    precision,
    startRate: attaining.length > 0 ? Math.max(...attaining) : startRate,
  });
}

function policyOf({ policy, changes }: Task): string | SchedulerPolicy {
  if (Object.keys(changes).length === 0) return schedulerPolicy(policy);
  if (policy !== 'uellm') throw new Error(`only uellm has options to change, not ${policy}`);
  return createUellm(policy, changes);
}

let cached: { key: string; trace: TraceRequest[] } | null = null;

/** Tasks come by workload and seed: the last one is likely the next. */
function cachedWorkload(name: Parameters<typeof loadWorkload>[0], { seed, requests }: Task, data: string): TraceRequest[] {
  const key = JSON.stringify([name, seed, requests, data]);
  if (cached?.key !== key) cached = { key, trace: loadWorkload(name, { data, seed, requests }) };
  return cached.trace;
}
