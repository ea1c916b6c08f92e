/** What was promised: three classes, with a TTFT that is the same for every prompt or one that grows with it. */
import type { SloClass } from '../../core/simulator/slo-classes.ts';
import type { WorkloadName } from './workloads.ts';

export const SLOS = ['fixed', 'scaled'] as const;
export type SloKind = (typeof SLOS)[number];

const QUEUE = { maxWaitMs: 30_000, onHopeless: 'demote' as const };

/** Such that an idle fleet keeps the promise to nearly every prompt of that traffic. */
const FIXED: Record<WorkloadName, { interactiveTtftMs: number; standardTtftMs: number; batchE2eMs: number }> = {
  chat: { interactiveTtftMs: 500, standardTtftMs: 2000, batchE2eMs: 60_000 },
  mooncake: { interactiveTtftMs: 5000, standardTtftMs: 10_000, batchE2eMs: 60_000 },
  reasoning: { interactiveTtftMs: 2000, standardTtftMs: 5000, batchE2eMs: 600_000 },
  summarise: { interactiveTtftMs: 1000, standardTtftMs: 3000, batchE2eMs: 60_000 },
};

export function sloClasses(workload: WorkloadName, kind: SloKind): SloClass[] {
  const { interactiveTtftMs, standardTtftMs, batchE2eMs } = FIXED[workload];
  const interactive = kind === 'fixed' ? { ttftMs: interactiveTtftMs } : { ttftMs: 250, ttftPerInputTokenMs: 0.5 };
  const standard = kind === 'fixed' ? { ttftMs: standardTtftMs } : { ttftMs: 1000, ttftPerInputTokenMs: 1 };
  return [
    { name: 'interactive', share: 0.6, ...interactive, tpotMs: 50, priority: 100, queue: QUEUE },
    { name: 'standard', share: 0.25, ...standard, tpotMs: 100, priority: 50, queue: QUEUE },
    { name: 'batch', share: 0.15, e2eMs: batchE2eMs, priority: 0, queue: QUEUE },
  ];
}

/** By then a demoted request comes before everyone: `core/scheduler/admission.ts`. */
export const AGEING_SECONDS = (4 * QUEUE.maxWaitMs) / 1000;
