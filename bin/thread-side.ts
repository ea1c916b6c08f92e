/** The thread's side of `thread.ts`: it answers what it is asked, one question after the other. */
import { parentPort, workerData } from 'node:worker_threads';
import { type AcceleratorKind, extendCatalog } from '../core/domain/accelerators.ts';
import type { ThreadReply } from './thread.ts';

/** Call it once, before anything reads the catalog of accelerators: it is that of whoever asks from then on. */
export function answerQuestions<Q, A>(answer: (question: Q) => A): void {
  extendCatalog(workerData as readonly AcceleratorKind[]);
  parentPort?.on('message', ({ id, question }: { id: number; question: Q }) => {
    const reply = (given: ThreadReply<A>) => parentPort?.postMessage(given);
    try {
      reply({ id, answer: answer(question) });
    } catch (failure) {
      reply({ id, failure });
    }
  });
}
