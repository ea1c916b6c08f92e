/** Steps of the start, shown as they happen: a list that is redrawn on a terminal, one line each elsewhere. */
import { Listr } from 'listr2';

export interface Step {
  title: string;
  /** @param detail told what it is doing when that takes longer than a moment */
  run(detail: (text: string) => void): Promise<void>;
}

/** Runs groups of steps one after another, the steps of a group together. @throws what the first step that failed threw */
export async function runSteps(groups: Step[][], terminal: boolean): Promise<void> {
  for (const group of groups) await (terminal ? drawn(group) : printed(group));
}

async function drawn(group: Step[]): Promise<void> {
  const tasks = group.map((step) => ({
    title: step.title,
    task: (_: unknown, task: { output: string }) =>
      step.run((text) => {
        task.output = text;
      }),
  }));
  // Ctrl-C is ours: what has started must end in order.
  await new Listr(tasks, { concurrent: true, registerSignalListeners: false, rendererOptions: { showErrorMessage: false } }).run();
}

async function printed(group: Step[]): Promise<void> {
  await Promise.all(
    group.map(async (step) => {
      const started = Date.now();
      await step.run((text) => console.log(`${step.title}: ${text}`));
      console.log(`${step.title}: done in ${((Date.now() - started) / 1000).toFixed(1)} s`);
    }),
  );
}
