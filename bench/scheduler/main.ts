/**
 * `npm run bench:scheduler`: the largest rate that each policy sustains at an attainment, on every kind of traffic, fleet and promise, with
 * the production scheduler in the simulator; what the parts of `uellm` bring; how long a decision takes. bench/README.md has the options.
 *
 * `plan.ts` and `extras.ts` say what is run, `run-task.ts` runs it in the threads of `pool.ts`, `results-file.ts` keeps it, `summary.ts`
 * compares, `report.ts` and `plot.ts` show it; `decisions.ts` and `speed.ts` measure time.
 */
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { schedulerPolicy } from '../../core/scheduler/registry.ts';
import { runBench } from '../support/flags.ts';
import { DECISION_SETTINGS, type Decisions, measureDecisions } from './decisions.ts';
import { type ExtrasChoice, planExtras, planRobustness } from './extras.ts';
import { renderExtras, summariseExtras, sustainedBy } from './extras-report.ts';
import { type Flags, parseFlags } from './flags.ts';
import { notesOn } from './notes.ts';
import { FULL, OURS, PLAINEST, planCells, QUICK, SEEDS } from './plan.ts';
import { renderPage } from './plot.ts';
import { renderBars, renderCell, renderNotes, renderOverview } from './report.ts';
import { NO_RESULTS, openResultsFile } from './results-file.ts';
import { measureSpeed, type Speed } from './speed.ts';
import { createStore } from './store.ts';
import { bars, summariseCells } from './summary.ts';
import { renderDecisions, renderSpeed, timingBars } from './timing-report.ts';
import { keysFor } from './versions.ts';

async function main(): Promise<void> {
  const flags = parseFlags(process.argv.slice(2));
  const data = join(process.cwd(), '..', 'shared', 'data');
  const { parts, targets, only } = flags;
  const form = join(flags.out, flags.quick ? 'scheduler-quick' : 'scheduler');
  const fileOf = (ending: string) => `${form}${only ? `-${only}` : ''}${ending}`;
  mkdirSync(flags.out, { recursive: true });

  // First, while this process does nothing else.
  const timing = parts.has('timing') ? measureTimes(data) : { decisions: [], speeds: [] };
  if (parts.has('timing')) print(renderDecisions(timing.decisions), renderSpeed(timing.speeds));

  const tasks = parts.has('cells') ? planCells(flags) : [];
  const extras = extrasOf(flags);
  const searches = parts.has('cells') || parts.has('extras');
  const store = createStore(searches ? openResultsFile(`${form}-runs.jsonl`, flags) : NO_RESULTS, keysFor(data), { ...flags, data });
  if (searches) await store.run([...tasks, ...(parts.has('extras') ? planExtras(extras) : [])]);
  if (parts.has('extras')) await store.run(planRobustness(extras, (task) => sustainedBy(store.resultOf(task))));

  if (store.unused > 0) console.error(`${store.unused} results in the file are of other code, definitions or choices, and not used`);

  const outcomes = tasks.map((task) => ({ task, result: store.resultOf(task)! }));
  const cells = summariseCells(outcomes, targets);
  const variants = parts.has('extras') ? summariseExtras(extras, store.resultOf) : [];
  const aims = [...(cells.length > 0 ? bars(cells, targets) : []), ...timingBars(timing.decisions, timing.speeds)];
  const notes = notesOn(flags, tasks, data);
  if (cells.length > 0) print(...cells.map((cell) => renderCell(cell, targets)), renderOverview(cells, targets));
  if (variants.length > 0) print(renderExtras(variants, targets));
  print(renderBars(aims), renderNotes(notes));

  const written = [fileOf('.json')];
  writeFileSync(fileOf('.json'), `${JSON.stringify({ notes, targets, aims, cells, variants, ...timing, outcomes }, null, 1)}\n`);
  if (cells.length > 0) {
    const generatedAt = `${new Date().toISOString().slice(0, 16).replace('T', ' ')} UTC`;
    writeFileSync(fileOf('.html'), renderPage({ generatedAt, targets, cells, outcomes, bars: aims, notes }));
    written.push(fileOf('.html'));
  }
  console.log(`Every figure: ${written.join(', pictures: ')}`);
}

function measureTimes(data: string): { decisions: Decisions[]; speeds: Speed[] } {
  console.error('measuring decisions and the simulator: about two minutes');
  const decisions = DECISION_SETTINGS.flatMap((setting) =>
    [OURS, 'edf', PLAINEST].map((policy) => measureDecisions(schedulerPolicy(policy), setting)),
  );
  return { decisions, speeds: measureSpeed(data) };
}

function extrasOf({ quick, seeds, targets, cells }: Flags): ExtrasChoice {
  return { size: quick ? QUICK : FULL, seeds: seeds ?? (quick ? 1 : SEEDS), targets, cells };
}

function print(...blocks: string[]): void {
  const told = blocks.filter((block) => block !== '');
  if (told.length > 0) console.log(`${told.join('\n\n')}\n`);
}

await runBench(main);
