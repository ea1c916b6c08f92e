/** Results as they come, a JSON line each, so that a run that was interrupted goes on where it was. */
import { appendFileSync, existsSync, readFileSync, renameSync } from 'node:fs';
import type { Task, TaskResult } from './task.ts';

export interface KeyedResult {
  key: string;
  task: Task;
  result: TaskResult;
}

export interface ResultsFile {
  /** By key: one of other code, definitions or choices has another key than anybody asks for. */
  readonly known: ReadonlyMap<string, TaskResult>;
  add(result: KeyedResult): void;
}

/** Where nothing is run. */
export const NO_RESULTS: ResultsFile = { known: new Map(), add: () => undefined };

/** @param resume takes up what the file holds; otherwise it is moved aside, to `<file>.previous` */
export function openResultsFile(file: string, { resume }: { resume: boolean }): ResultsFile {
  const known = new Map<string, TaskResult>();
  if (existsSync(file)) {
    if (resume) readLines(file, known);
    else renameSync(file, `${file}.previous`);
  }
  return {
    known,
    add(result) {
      known.set(result.key, result.result);
      appendFileSync(file, `${JSON.stringify(result)}\n`);
    },
  };
}

function readLines(file: string, known: Map<string, TaskResult>): void {
  const text = readFileSync(file, 'utf8');
  for (const line of text.split('\n')) {
    try {
      const { key, result } = JSON.parse(line) as KeyedResult;
      known.set(key, result);
    } catch {
      // Cut off by an interruption: it is run again.
    }
  }
  // The next line must not begin in the middle of such a one.
  if (text !== '' && !text.endsWith('\n')) appendFileSync(file, '\n');
}
