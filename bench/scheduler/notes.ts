/** What is to be known of the figures. */
import { cellNamed } from './cells.ts';
import type { Flags } from './flags.ts';
import { FULL, POLICIES, QUICK } from './plan.ts';
import { AGEING_SECONDS } from './slos.ts';
import type { Task } from './task.ts';
import { workloadSource } from './workloads.ts';

/** @param data `../shared/data` */
export function notesOn({ quick, policies }: Pick<Flags, 'quick' | 'policies'>, tasks: readonly Task[], data: string): string[] {
  if (tasks.length === 0) return [];
  const workloads = [...new Set(tasks.map((task) => cellNamed(task.cell).workload))];
  const { precision, requests } = quick ? QUICK : FULL;
  return [
    ...workloads.map(
      (name) => `${name}: ${workloadSource(name, data).told}; the first ${requests[name].toLocaleString('en-US')} requests or all`,
    ),
    'rate scale: arrivals come so many times as fast as in the source; "none": not attained down to 1/64 of what is usual in the cell',
    `searches stop within ${100 * precision} %; medians over the seeds, which draw classes, noise of steps, and what the source leaves open`,
    `lengths are predicted by the profiler as in production; the step-time model is right, engines' gauges are up to 200 ms old`,
    'worst tenth: least attainment of a tenth of input lengths over the overall, at the rate of the lowest target; wait: from arrival to release, longest',
    `from ${AGEING_SECONDS} s of waiting a demoted request of uellm comes before everyone, as far as half of the releases; how long it waits then is for the load to say`,
    ...(policies
      ? []
      : quick
        ? ['--quick: some cells, some policies, fewer requests: for a look, not for the record']
        : [`policies: ${POLICIES.join(', ')}; s3 and morphling are for static batches (npm run bench:paper)`]),
  ];
}
