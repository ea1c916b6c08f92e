/** Runs what has not been run, and knows the results of what has. */
import { runAll } from './pool.ts';
import { createProgress, duration } from './progress.ts';
import type { ResultsFile } from './results-file.ts';
import { subjectOf, type Task, type TaskResult } from './task.ts';
import type { KeyOf } from './versions.ts';

export interface Store {
  run(tasks: readonly Task[]): Promise<void>;
  resultOf(task: Task): TaskResult | undefined;
  /** Results in the file that nobody has asked for: of other code, definitions or choices. */
  readonly unused: number;
}

/** @param data `../shared/data` */
export function createStore(file: ResultsFile, keyOf: KeyOf, { threads, data }: { threads: number; data: string }): Store {
  const asked = new Set<string>();
  return {
    get unused() {
      return [...file.known.keys()].filter((key) => !asked.has(key)).length;
    },
    resultOf: (task) => file.known.get(keyOf(task)),
    async run(tasks) {
      const byKey = new Map(tasks.map((task) => [keyOf(task), task]));
      const missing = [...byKey].flatMap(([key, task]) => (file.known.has(key) ? [] : [{ key, task }]));
      for (const key of byKey.keys()) asked.add(key);
      console.error(`${byKey.size} searches: ${missing.length} to run on ${threads} threads, ${byKey.size - missing.length} taken up`);
      const progress = createProgress(missing.length);
      const startedMs = performance.now();
      await runAll(missing, { threads, data }, ({ key, task }, result) => {
        file.add({ key, task, result });
        const rates = result.found.map(({ run }) => (run ? Number(run.rateScale.toPrecision(3)) : 'none')).join(' / ');
        progress.done(`${task.cell}, ${subjectOf(task)}, seed ${task.seed}: ${rates} (${result.seconds.toFixed(0)} s)`);
      });
      progress.end();
      if (missing.length > 0) console.error(`run in ${duration(performance.now() - startedMs)}`);
    },
  };
}
