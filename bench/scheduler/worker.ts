/** A thread that carries out tasks, one at a time. */
import { parentPort, workerData } from 'node:worker_threads';
import { runTask } from './run-task.ts';
import type { Task } from './task.ts';

const { data } = workerData as { data: string };
parentPort!.on('message', (task: Task) => parentPort!.postMessage(runTask(task, data)));
