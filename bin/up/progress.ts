/** Steps of the start, shown as they happen: a list that is redrawn on a terminal, one line each elsewhere. */
import { Listr } from 'listr2';

export interface Step {
  title: string;
  /** @param detail told what it is doing when that takes longer than a moment */
  run(detail: (text: string) => void): Promise<void>;
}

/** Runs steps together. @throws what the first step that failed threw, once all have ended */
export async function runSteps(steps: Step[], terminal: boolean): Promise<void> {
  const running = terminal ? await drawn(steps) : steps.map(printed);
  const failed = (await Promise.allSettled(running)).find((result) => result.status === 'rejected');
  if (failed) throw failed.reason;
}

async function drawn(steps: Step[]): Promise<Promise<void>[]> {
  const running: Promise<void>[] = [];
  const tasks = steps.map((step) => ({
    title: step.title,
    task: (_: unknown, task: { output: string }) => {
      const run = step.run((text) => {
        task.output = text;
      });
      running.push(run);
      return run;
    },
  }));
  // Ctrl-C is ours: what has started must end in order.
  const list = new Listr(tasks, { concurrent: true, registerSignalListeners: false, rendererOptions: { showErrorMessage: false } });
  await list.run().catch(() => undefined);
  return running;
}

async function printed(step: Step): Promise<void> {
  const started = Date.now();
  await step.run((text) => console.log(`${step.title}: ${text}`));
  console.log(`${step.title}: done in ${((Date.now() - started) / 1000).toFixed(1)} s`);
}
