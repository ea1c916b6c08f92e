/** What runs on the API's thread for costs and bottlenecks. */
import { parentPort, workerData } from 'node:worker_threads';
import { type CostAnswer, type CostQuestion, reckonCost } from '../api/routes/cost/reckon.ts';
import { type AcceleratorKind, extendCatalog } from '../core/domain/accelerators.ts';
import { type Diagnosis, type DiagnosisInput, diagnose } from '../core/placement/diagnosis/diagnose.ts';
import { loadHighsSolver } from '../core/placement/fleet/highs.ts';
import type { ThreadReply } from './thread.ts';

extendCatalog(workerData as readonly AcceleratorKind[]);
const solver = await loadHighsSolver();

parentPort?.on('message', ({ id, question }: { id: number; question: CostQuestion | DiagnosisInput }) => {
  const reply = (given: ThreadReply<CostAnswer | Diagnosis>) => parentPort?.postMessage(given);
  try {
    reply({ id, answer: 'fleet' in question ? diagnose(question) : reckonCost(question, solver) });
  } catch (failure) {
    reply({ id, failure });
  }
});
