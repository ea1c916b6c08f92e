/** Which code a result comes from: results of other code are not taken up again. */
import { createHash } from 'node:crypto';
import { readdirSync, readFileSync } from 'node:fs';
import { join, sep } from 'node:path';
import { fileURLToPath } from 'node:url';
import { cellNamed } from './cells.ts';
import { FLEET } from './fleets.ts';
import { sloClasses } from './slos.ts';
import type { Task } from './task.ts';
import { workloadSource } from './workloads.ts';

/** To be raised when what a task does changes in a way that neither its definition nor the code in `core` shows. */
const VERSION = 1;
const CORE = fileURLToPath(new URL('../../core/', import.meta.url));
const FOLDERS = ['domain', 'profiler', 'scheduler', 'simulator'];
/** What only `uellm` runs: others' results outlive its changes. */
const ONLY_UELLM = [join('scheduler', 'uellm') + sep, join('scheduler', 'policies', 'uellm.')];

export type KeyOf = (task: Task) => string;

/** @param data `../shared/data` */
export function keysFor(data: string): KeyOf {
  const files = FOLDERS.flatMap((folder) =>
    readdirSync(join(CORE, folder), { recursive: true, withFileTypes: true })
      .filter((entry) => entry.isFile() && /\.[jt]s$/.test(entry.name) && !entry.name.includes('.test.'))
      .map((entry) => join(entry.parentPath, entry.name).slice(CORE.length)),
  ).sort();
  const isUellms = (file: string) => ONLY_UELLM.some((start) => file.startsWith(start));
  const uellms = digest(files.filter(isUellms));
  const common = digest(files.filter((file) => !isUellms(file)));
  return (task) => {
    const { workload, fleet, slo, usualRate } = cellNamed(task.cell);
    const source = workloadSource(workload, data);
    const code = task.policy === 'uellm' ? [common, uellms] : [common];
    const dependencies = [VERSION, task, source, FLEET[fleet], sloClasses(workload, slo), usualRate, code];
    return createHash('sha256').update(JSON.stringify(dependencies)).digest('hex').slice(0, 20);
  };
}

/** Of the code without its comments. */
function digest(files: readonly string[]): string {
  const hash = createHash('sha256');
  for (const file of files) {
    const code = readFileSync(join(CORE, file), 'utf8').replaceAll(/^\s*(\/\*[\s\S]*?\*\/|\/\/.*)$/gm, '');
    hash.update(`\0${file}\0${code.replaceAll(/\s+/g, ' ')}`);
  }
  return hash.digest('hex');
}
