/** What runs on the API's thread for costs. */
import { parentPort, workerData } from 'node:worker_threads';
import { type CostAnswer, type CostQuestion, reckonCost } from '../api/routes/cost/reckon.ts';
import { type AcceleratorKind, extendCatalog } from '../core/domain/accelerators.ts';
import { loadHighsSolver } from '../core/placement/fleet/highs.ts';
import type { ThreadReply } from './thread.ts';

extendCatalog(workerData as readonly AcceleratorKind[]);
const solver = await loadHighsSolver();

parentPort?.on('message', ({ id, question }: { id: number; question: CostQuestion }) => {
  const reply = (given: ThreadReply<CostAnswer>) => parentPort?.postMessage(given);
  try {
    reply({ id, answer: reckonCost(question, solver) });
  } catch (failure) {
    reply({ id, failure });
  }
});
