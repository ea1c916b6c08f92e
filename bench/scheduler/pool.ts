/** Tasks over several threads. */
import { Worker } from 'node:worker_threads';
import type { Task, TaskResult } from './task.ts';

/** As compiled: threads of Node 20 load no TypeScript. */
const WORKER = new URL('./worker.js', import.meta.url);

/**
 * In order, each to the next thread that is free; calls `done` as they end.
 * @throws whatever a task threw: the others are then given up
 */
export async function runAll<T extends { task: Task }>(
  items: readonly T[],
  { threads, data }: { threads: number; data: string },
  done: (item: T, result: TaskResult) => void,
): Promise<void> {
  let next = 0;
  const workers = Array.from({ length: Math.min(threads, items.length) }, () => new Worker(WORKER, { workerData: { data } }));
  try {
    await Promise.all(
      workers.map(async (worker) => {
        while (next < items.length) {
          const item = items[next++]!;
          done(item, await ask(worker, item.task));
        }
      }),
    );
  } finally {
    await Promise.all(workers.map((worker) => worker.terminate()));
  }
}

function ask(worker: Worker, task: Task): Promise<TaskResult> {
  return new Promise((resolve, reject) => {
    const settle = (outcome: () => void) => {
      worker.off('message', answered).off('error', failed);
      outcome();
    };
    const answered = (result: TaskResult) => settle(() => resolve(result));
    const failed = (error: unknown) => settle(() => reject(error));
    worker.on('message', answered).on('error', failed);
    worker.postMessage(task);
  });
}
