/** What runs on the planning thread: plans with their shapes tried. */
import { parentPort, workerData } from 'node:worker_threads';
import { type AcceleratorKind, extendCatalog } from '../core/domain/accelerators.ts';
import { loadHighsSolver } from '../core/placement/fleet/highs.ts';
import type { PlanInput, PlanOutput } from '../core/placement/types.ts';
import { openShapeTrials } from '../core/simulator/shape-trials.ts';
import { planTried } from '../core/simulator/tried-plan.ts';
import type { ThreadReply } from './thread.ts';

extendCatalog(workerData as readonly AcceleratorKind[]);
const solver = await loadHighsSolver();
const trials = openShapeTrials();

parentPort?.on('message', ({ id, question }: { id: number; question: PlanInput }) => {
  const reply = (given: ThreadReply<PlanOutput>) => parentPort?.postMessage(given);
  try {
    reply({ id, answer: planTried(question, solver, trials) });
  } catch (failure) {
    reply({ id, failure });
  }
});
