/** What runs on the API's thread for replays. */
import { parentPort, workerData } from 'node:worker_threads';
import { type AcceleratorKind, extendCatalog } from '../core/domain/accelerators.ts';
import { type WhatIfAnswer, type WhatIfQuestion, whatIf } from '../core/simulator/what-if.ts';
import type { ThreadReply } from './thread.ts';

extendCatalog(workerData as readonly AcceleratorKind[]);

parentPort?.on('message', ({ id, question }: { id: number; question: WhatIfQuestion }) => {
  const reply = (given: ThreadReply<WhatIfAnswer>) => parentPort?.postMessage(given);
  try {
    reply({ id, answer: whatIf(question) });
  } catch (failure) {
    reply({ id, failure });
  }
});
