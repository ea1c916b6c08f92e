import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { schedulerPolicy } from '../../core/scheduler/registry.ts';
import { CELLS, cellNamed, cellsMatching } from './cells.ts';
import { measureDecisions } from './decisions.ts';
import { defaultTask, type ExtrasChoice, GROUPS, planExtras, planRobustness } from './extras.ts';
import { renderExtras, summariseExtras, sustainedBy } from './extras-report.ts';
import { parseFlags } from './flags.ts';
import { FLEET, FLEETS, fleetReplicas } from './fleets.ts';
import { notesOn } from './notes.ts';
import { OURS, PLAINEST, POLICIES, planCells, QUICK_CELLS, type Size, searchTask } from './plan.ts';
import { renderPage } from './plot.ts';
import { renderBars, renderCell, renderOverview } from './report.ts';
import { openResultsFile } from './results-file.ts';
import { runTask } from './run-task.ts';
import { bars, type CellSummary, type PolicySummary, summariseCells } from './summary.ts';
import { subjectOf, type Task, type TaskResult } from './task.ts';
import { renderDecisions, timingBars } from './timing-report.ts';
import { keysFor } from './versions.ts';
import { loadWorkload, WORKLOADS, workloadSource } from './workloads.ts';

/** Nothing is there: the synthetic workloads stand in, on every machine. */
const NO_DATA = join(tmpdir(), 'no-shared-data');
const TINY: Size = { requests: { chat: 300, mooncake: 100, reasoning: 100, summarise: 200 }, precision: 0.3 };
const folder = mkdtempSync(join(tmpdir(), 'uellm-bench-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const tiny = (policy: string, changes: Task['changes'] = {}) =>
  searchTask(cellNamed('chat/h4/fixed'), { policy, seed: 1, targets: [0.9, 0.99], changes }, TINY);

describe('the scheduler bench', () => {
  it('has every cell of the issue', () => {
    expect(CELLS).toHaveLength(32);
    expect(cellsMatching(['chat/*/fixed', 'chat/h4']).map(({ name }) => name)).toEqual([
      'chat/h4/fixed',
      'chat/h4/scaled',
      'chat/mixed/fixed',
      'chat/70b/fixed',
      'chat/kv/fixed',
    ]);
    expect(() => cellsMatching(['chats'])).toThrow(/--cells/);
    expect(FLEETS.map((name) => fleetReplicas(FLEET[name]).length)).toEqual([4, 8, 4, 8]);
  });
  it.each(WORKLOADS)('says that a synthetic workload stands in, and gives the same one again: %s', (name) => {
    const options = { data: NO_DATA, seed: 1, requests: 20 };
    expect(loadWorkload(name, options)).toHaveLength(20);
    expect(loadWorkload(name, options)).toEqual(loadWorkload(name, options));
    expect(workloadSource(name, NO_DATA)).toMatchObject({ kind: 'synthetic', told: expect.stringContaining('SYNTHETIC') });
  });
  it('reads its command line', () => {
    const full = parseFlags([]);
    expect(planCells(full)).toHaveLength(CELLS.length * POLICIES.length * 3);
    expect([...full.parts]).toEqual(['cells', 'extras', 'timing']);
    const quick = parseFlags(['--quick', '--policies', 'edf,uellm', '--targets', '0.99,0.9']);
    expect([...quick.parts]).toEqual(['cells', 'timing']);
    expect(quick.targets).toEqual([0.9, 0.99]);
    expect(planCells(quick)).toHaveLength(2 * 3 * QUICK_CELLS.length);
    expect(() => parseFlags(['--policies', 'best'])).toThrow(/--policies/);
    expect(() => parseFlags(['--seeds', 'x'])).toThrow(/--seeds/);
  });
});

describe('a search', () => {
  const tasks = [tiny(PLAINEST), tiny(OURS)];
  const outcomes = tasks.map((task) => ({ task, result: runTask(task, NO_DATA) }));
  it('finds rates that attain, and runs no rate twice', () => {
    for (const { result } of outcomes) {
      const [at90, at99] = result.found.map(({ run }) => run!);
      expect(at90!.attainment).toBeGreaterThanOrEqual(0.9);
      expect(at99!.attainment).toBeGreaterThanOrEqual(0.99);
      expect(at99!.rateScale).toBeLessThanOrEqual(at90!.rateScale);
      expect(new Set(result.visited.map(({ rateScale }) => rateScale)).size).toBe(result.visited.length);
    }
  });
  it('is told as a table, as bars, and as a page', () => {
    const cells = summariseCells(outcomes, [0.9, 0.99]);
    expect(cells[0]!.best[0]).toBe(PLAINEST);
    const text = [renderCell(cells[0]!, [0.9, 0.99]), renderOverview(cells, [0.9, 0.99]), renderBars(bars(cells, [0.9, 0.99]))].join('\n');
    expect(text).toContain('REACHED');
    expect(text).toContain('chat/h4/fixed');
    const notes = notesOn({ quick: true, policies: null }, tasks, NO_DATA);
    expect(notes.join()).toContain('SYNTHETIC');
    const page = renderPage({ generatedAt: 'now', targets: [0.9, 0.99], cells, outcomes, bars: bars(cells, [0.9, 0.99]), notes });
    expect(page).toContain('<polyline');
    expect(page).not.toMatch(/NaN|Infinity|undefined/);
  });
  it('compares variants, robustness at the rate that the default sustains', () => {
    const choice: ExtrasChoice = { size: TINY, seeds: 1, targets: [0.9, 0.99], cells: [cellNamed('chat/mixed/fixed')] };
    const results = new Map<string, TaskResult>([...planExtras(choice)].map((task) => [JSON.stringify(task), outcomes[1]!.result]));
    const resultOf = (task: Task) => results.get(JSON.stringify(task));
    const robustness = planRobustness(choice, (task) => sustainedBy(resultOf(task)));
    const sustained = sustainedBy(resultOf(defaultTask('chat/mixed/fixed', 1, choice)));
    expect(sustained).not.toBeNull();
    expect(robustness.map(({ atRate }) => atRate)).toEqual([sustained, sustained, sustained]);
    for (const task of robustness) results.set(JSON.stringify(task), { ...outcomes[1]!.result, atRate: outcomes[1]!.result.found[0]!.run });
    const variants = summariseExtras(choice, resultOf);
    const groups = GROUPS.filter(({ cells }) => cells.includes('chat/mixed/fixed'));
    expect(variants).toHaveLength(groups.reduce((sum, group) => sum + group.variants.length + 1, 0));
    expect(renderExtras(variants, choice.targets)).toContain('+0.0 %');
  });
});

describe('results', () => {
  const keyOf = keysFor(NO_DATA);
  const result: TaskResult = { found: [], atRate: null, visited: [], seconds: 1 };
  it('are known by all that they depend on', () => {
    expect(keyOf(tiny(OURS))).toBe(keyOf(tiny(OURS)));
    const others = [tiny('edf'), tiny(OURS, { lengthFairness: 0 }), { ...tiny(OURS), requests: 301 }, { ...tiny(OURS), atRate: 1 }];
    expect(new Set([tiny(OURS), ...others].map(keyOf)).size).toBe(5);
    expect(subjectOf(others[1]!)).toBe('uellm lengthFairness=0');
  });
  it('outlive an interruption in the middle of a line, and are moved aside where nobody resumes', () => {
    const file = join(folder, 'runs.jsonl');
    openResultsFile(file, { resume: true }).add({ key: 'a', task: tiny(OURS), result });
    writeFileSync(file, '{"key":"b","resu', { flag: 'a' });
    const resumed = openResultsFile(file, { resume: true });
    expect([...resumed.known.keys()]).toEqual(['a']);
    resumed.add({ key: 'c', task: tiny(OURS), result });
    expect([...openResultsFile(file, { resume: true }).known.keys()]).toEqual(['a', 'c']);
    expect(openResultsFile(file, { resume: false }).known.size).toBe(0);
    expect(readFileSync(`${file}.previous`, 'utf8')).toContain('"key":"c"');
  });
});

describe('the bars', () => {
  const policy = (name: string, rate: number, rest: Partial<PolicySummary> = {}): PolicySummary => ({
    policy: name,
    seeds: 1,
    rates: [{ median: rate, min: rate, max: rate }],
    attainmentByClass: [null],
    worstDecile: 0.7,
    longestWaitSeconds: 100,
    ...rest,
  });
  const cell = (overPlainest: number | null, overBest: number | null, rest: Partial<PolicySummary> = {}): CellSummary => ({
    cell: 'chat/h4/fixed',
    policies: [policy(OURS, 1, rest)],
    overPlainest: [overPlainest],
    overBest: [overBest],
    best: ['edf'],
  });
  it('are reached or not, with the figure', () => {
    const reached = (cells: CellSummary[]) => bars(cells, [0.9]).map((bar) => bar.reached);
    expect(reached([cell(1.9, 1.2), cell(2, 1.1), cell(1.7, 1.2)])).toEqual([true, true, true, true, true]);
    expect(reached([cell(1.7, 0.97, { worstDecile: 0.5, longestWaitSeconds: 200 })])).toEqual([false, false, false, false, false]);
    expect(reached([cell(null, null)])).toEqual([null, null, null, true, true]);
    expect(reached([cell(Number.POSITIVE_INFINITY, 1.2)])[0]).toBe(true);
  });
});

describe('the time of a decision', () => {
  it('is measured while engines and queue are full', () => {
    const measured = measureDecisions(schedulerPolicy(OURS), { engines: 4, queued: 20, calls: 500, warmUpSeconds: 1 });
    expect(measured.calls).toBe(500);
    expect(measured.releases).toBeGreaterThan(0);
    expect(measured.runningPerEngine).toBeGreaterThan(1);
    expect(measured.p99Us).toBeGreaterThanOrEqual(measured.p50Us);
    expect(renderDecisions([measured])).toContain(OURS);
    expect(timingBars([{ ...measured, engines: 64, p99Us: 50 }], [])).toMatchObject([{ reached: true }]);
  });
});
