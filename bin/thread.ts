/** Questions to a thread of its own, answered one after the other. What takes longer than tens of ms would hold up whoever asks. */
import { Worker } from 'node:worker_threads';
import { acceleratorKinds } from '../core/domain/accelerators.ts';

export interface Thread<Q, A> {
  /** @throws what was thrown there */
  ask(question: Q): Promise<A>;
  close(): Promise<void>;
}

/** What the thread posts for each message `{ id, question }`. */
export type ThreadReply<A> = { id: number; answer: A } | { id: number; failure: unknown };

/**
 * The thread starts with the first question, and has the catalog of accelerators as its `workerData`; one that dies fails what it was asked,
 * and the next question starts another.
 * @param script as compiled: threads of Node 20 load no TypeScript
 */
export function createThread<Q, A>(script: URL): Thread<Q, A> {
  let thread: Worker | undefined;
  let asked = 0;
  const waiting = new Map<number, { resolve: (answer: A) => void; reject: (error: unknown) => void }>();

  function open(): Worker {
    const worker = new Worker(script, { workerData: acceleratorKinds() });
    worker.unref();
    worker.on('message', (reply: ThreadReply<A>) => {
      const asking = waiting.get(reply.id);
      waiting.delete(reply.id);
      if ('failure' in reply) asking?.reject(reply.failure);
      else asking?.resolve(reply.answer);
    });
    let cause: Error | undefined;
    worker.on('error', (error) => {
      cause = error;
    });
    worker.on('exit', () => {
      if (thread === worker) thread = undefined;
      for (const { reject } of waiting.values()) reject(new Error('the thread ended', { cause }));
      waiting.clear();
    });
    return worker;
  }

  return {
    ask: (question) =>
      new Promise((resolve, reject) => {
        thread ??= open();
        const id = ++asked;
        waiting.set(id, { resolve, reject });
        thread.postMessage({ id, question });
      }),
    async close() {
      await thread?.terminate();
    },
  };
}
