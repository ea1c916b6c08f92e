import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import type { Run } from '../../core/simulator/run.ts';
import { type CliRun, runCli } from '../../test/support/cli.ts';
import type { OutputOptions } from '../output/print.ts';
import { processTerminal } from '../terminal.ts';
import type { Unreachable } from './run-all.ts';
import { simulateCommand } from './simulate.ts';

const folder = mkdtempSync(join(tmpdir(), 'uellm-simulate-'));
afterAll(() => rmSync(folder, { recursive: true }));
function file(name: string, text: string): string {
  writeFileSync(join(folder, name), text);
  return join(folder, name);
}

const FLEET = file('fleet.yaml', 'kind: Host\nname: h1\naccelerators: [{ kind: h100, count: 2 }]\n');
const SLO = file(
  'slo.yaml',
  `classes:
  - { name: fast, share: 1, ttftMs: 200, tpotMs: 30, priority: 10 }
  - { name: slow, share: 1, e2eMs: 20000, priority: -1, queue: { maxWaitMs: 1000, onHopeless: shed } }
`,
);
const row = (i: number, rest: object = {}) => JSON.stringify({ arrivalMs: i * 100, inputTokens: 500 + i, outputTokens: 20, ...rest });
const TRACE = file('trace.jsonl', Array.from({ length: 60 }, (_, i) => row(i)).join('\n'));
const FILES = ['--fleet', FLEET, '--slo', SLO];

interface Answer {
  runs: Run[];
  unreachable: Unreachable[];
  notes: string[];
  rejectedRows: { count: number; examples: { line: number; reason: string }[] };
  replicas: { id: string; tensorParallel: number; usdPerHour: number }[];
}

const simulate = (...args: string[]): Promise<CliRun> => runCli(['simulate', ...FILES, ...args]);
async function answer(...args: string[]): Promise<Answer> {
  const { out, err, exitCode } = await simulate(...args, '--json');
  expect(exitCode, err).toBe(0);
  return JSON.parse(out) as Answer;
}

describe('the result as JSON', () => {
  it('has the fields of the contract', async () => {
    const { runs, replicas, ...rest } = await answer('--trace', TRACE);
    expect(Object.keys(rest)).toEqual(['unreachable', 'notes', 'rejectedRows']);
    expect(Object.keys(runs[0]!).sort()).toEqual(
      [
        ...[
          'policy',
          'predictor',
          'rateScale',
          'requests',
          'durationSeconds',
          'attainment',
          'attainmentByClass',
          'attainmentByInputDecile',
        ],
        ...['goodputPerSecond', 'ttftMs', 'tpotMs', 'e2eMs', 'shed', 'longestWaitSeconds', 'gpuUtilisation', 'costUsdPerThousandRequests'],
        ...['seed', 'inputDecileTokens', 'outputTokensPerSecond', 'rejected', 'preemptions'],
      ].sort(),
    );
    expect(replicas).toMatchObject([
      { id: 'h1/0', model: 'llama-3.1-8b', host: 'h1', accelerators: [0], tensorParallel: 1, usdPerHour: 2.95 },
      { id: 'h1/1' },
    ]);
  });

  it('has their units', async () => {
    const { runs } = await answer('--trace', TRACE, '--step-noise', '0');
    const [run] = runs;
    expect(run).toMatchObject({ policy: 'uellm', predictor: 'learned', rateScale: 1, seed: 1, requests: 60, attainment: 1 });
    // 59 gaps of 100 ms and an answer of 20 tokens at about 7.5 ms.
    expect(run!.durationSeconds).toBeGreaterThan(6);
    expect(run!.durationSeconds).toBeLessThan(6.3);
    expect(run!.goodputPerSecond).toBeCloseTo(60 / run!.durationSeconds);
    expect(run!.ttftMs.p50).toBeGreaterThan(10);
    expect(run!.tpotMs.p50).toBeGreaterThan(6.374 + 1);
    expect(run!.tpotMs.p50).toBeLessThan(9);
    expect(run!.e2eMs.p50).toBeCloseTo(run!.ttftMs.p50 + 19 * run!.tpotMs.p50, -1);
    expect(run!.costUsdPerThousandRequests).toBeCloseTo((((2 * 2.95 * run!.durationSeconds) / 3600) * 1000) / 60);
    expect(run!.attainmentByInputDecile).toHaveLength(10);
  });

  it('is the same for the same seed, and another for another', async () => {
    const of = async (seed: string) => (await simulate('--workload', 'chat', '--requests', '100', '--seed', seed, '--json')).out;
    expect(await of('3')).toBe(await of('3'));
    expect(await of('3')).not.toBe(await of('4'));
  });

  it('has a run for each policy, predictor, rate and seed', async () => {
    const { runs } = await answer(
      ...[
        '--trace',
        TRACE,
        '--policy',
        'edf,fcfs,edf',
        '--predictor',
        'oracle,learned',
        '--rate-scale',
        '1,2',
        '--seeds',
        '2',
        '--seed',
        '7',
      ],
    );
    expect(new Set(runs.map((r) => `${r.rateScale} ${r.seed} ${r.policy} ${r.predictor}`)).size).toBe(16);
    expect(runs.slice(0, 3).map((r) => [r.rateScale, r.seed, r.policy, r.predictor])).toEqual([
      [1, 7, 'edf', 'oracle'],
      [1, 7, 'edf', 'learned'],
      [1, 7, 'fcfs', 'oracle'],
    ]);
  });

  it.each(['uellm', 'edf', 'round-robin'])('leaves no request out under %s', async (policy) => {
    const lines = Array.from({ length: 300 }, (_, i) => row(i, { class: i % 2 ? 'slow' : 'fast', outputTokens: 400, arrivalMs: i }));
    const big = [{ inputTokens: 140_000 }, { inputTokens: 9_000_000 }, { outputTokens: 200_000 }].map((rest) =>
      row(301, { class: 'fast', ...rest }),
    );
    const trace = file('overload.jsonl', [...lines, ...big].join('\n'));
    const { runs, notes } = await answer('--trace', trace, '--policy', policy, '--max-sequences', '8', '--step-overhead-ms', '50');
    const [run] = runs;
    expect([run!.requests, run!.rejected]).toEqual([303, 3]);
    expect(notes).toContain('3 requests longer than any replica takes (131072 tokens, input and output): rejected');
    if (policy === 'uellm') expect(run!.shed).toBeGreaterThan(0);
    const usd = (2 * 2.95 * run!.durationSeconds) / 3600;
    const served = (usd * 1000) / run!.costUsdPerThousandRequests!;
    expect(served + run!.shed + run!.rejected).toBeCloseTo(run!.requests, 6);
  });

  it('has figures where every request is refused', async () => {
    const { runs } = await answer('--trace', file('huge.jsonl', row(0, { inputTokens: 1_000_000 })));
    expect(runs[0]).toMatchObject({ requests: 1, rejected: 1, attainment: 0, goodputPerSecond: 0, gpuUtilisation: 0 });
    expect(runs[0]!.costUsdPerThousandRequests).toBeNull();
  });

  it('has no latencies in its table where every request is refused', async () => {
    const { out } = await simulate('--trace', file('huge.jsonl', row(0, { inputTokens: 1_000_000 })));
    expect(out.split('\n')[1]).toMatch(/^uellm +1× +0 % +0\.00 +- +- +- +- +0 +1 +0 % +- /);
  });
});

describe('odd traces', () => {
  it('are noted, on stderr too', async () => {
    const rows = [
      row(5),
      row(3),
      row(4),
      row(4),
      '{"arrivalMs":1}',
      'x',
      row(2000),
      row(6, { outputTokens: 0 }),
      row(7, { inputTokens: 1e9 }),
    ];
    const trace = file('odd.jsonl', rows.join('\n'));
    const { runs, notes, rejectedRows } = await answer('--trace', trace);
    expect(runs[0]!.requests).toBe(5);
    expect(rejectedRows.count).toBe(4);
    expect(rejectedRows.examples.map(({ line }) => line)).toEqual([5, 6, 8, 9]);
    expect(notes).toEqual(
      expect.arrayContaining([
        expect.stringMatching(
          /^4 rows of the trace are no requests: line 5: .*line 6: got "x", allowed is a JSON object; line 8: .*outputTokens.*; and 1 more$/,
        ),
        '1 row of the trace is out of order: sorted by arrival',
        '1 row of the trace is equal to an earlier one: kept',
        '1 gap of more than 60 s without an arrival, the longest 199.5 s',
      ]),
    );
    const { err } = await simulate('--trace', trace, '--json');
    expect(err.trim().split('\n')).toEqual(notes.map((note) => `note: ${note}`));
  });

  it('are cut to their first requests', async () => {
    const { runs, notes } = await answer('--trace', TRACE, '--limit', '7');
    expect([runs[0]!.requests, notes[0]]).toEqual([7, 'the first 7 of 60 requests']);
  });

  it('are read as the format that is asked for', async () => {
    const csv = 'TIMESTAMP,ContextTokens,GeneratedTokens\n2023-11-16 18:15:46.68,374,44\n2023-11-16 18:15:50.99,396,109\n';
    expect((await answer('--trace', file('t.txt', csv))).runs[0]!.requests).toBe(2);
    const { exitCode, err } = await simulate('--trace', file('t.txt', csv), '--format', 'mooncake');
    expect([exitCode, err]).toEqual([2, expect.stringMatching(/t\.txt is not valid\n.*rows of the mooncake format/)]);
  });

  it('share prefixes that engines may cache', async () => {
    const blocks = { inputTokens: 20_000, prefixBlocks: Array.from({ length: 38 }, (_, i) => i) };
    const trace = file('prefixes.jsonl', Array.from({ length: 20 }, (_, i) => row(i * 30, blocks)).join('\n'));
    const cached = await answer('--trace', trace);
    const computed = await answer('--trace', trace, '--no-prefix-caching');
    expect(cached.runs[0]!.ttftMs.p50 * 3).toBeLessThan(computed.runs[0]!.ttftMs.p50);
    expect(computed.notes).toContain('prefixes that prompts share are not cached');
  });
});

describe('a workload', () => {
  it('has the classes of the SLO file where these have other names', async () => {
    const { runs, notes } = await answer('--workload', 'code', '--requests', '50', '--rate', '20');
    expect(Object.keys(runs[0]!.attainmentByClass)).toEqual(['fast', 'slow']);
    expect(notes).toContainEqual(expect.stringMatching(/^the SLO file has no class .* of the workload: classes are drawn by its shares$/));
  });
});

describe('a search', () => {
  const args = ['--workload', 'chat', '--requests', '150', '--seed', '2'];

  it('finds less at a higher target, and rates that a plain run confirms', async () => {
    const { runs, unreachable } = await answer(...args, '--policy', 'edf,fcfs', '--search', '0.5,0.9');
    expect(unreachable).toEqual([]);
    expect(runs.map((r) => [r.policy, r.searchedAttainment])).toEqual([
      ['edf', 0.5],
      ['fcfs', 0.5],
      ['edf', 0.9],
      ['fcfs', 0.9],
    ]);
    const [half, , most] = runs;
    expect(half!.rateScale).toBeGreaterThan(most!.rateScale);
    for (const run of runs) expect(run.attainment).toBeGreaterThanOrEqual(run.searchedAttainment!);
    const again = (rate: number) => answer(...args, '--policy', 'edf', '--rate-scale', String(rate));
    const { searchedAttainment: _, ...found } = most!;
    expect((await again(most!.rateScale)).runs).toEqual([found]);
    expect((await again(most!.rateScale * 1.5)).runs[0]!.attainment).toBeLessThan(0.9);
  });

  it('finds the same for a target alone or among others', async () => {
    const alone = await answer(...args, '--search', '0.9');
    expect((await answer(...args, '--search', '0.99,0.9')).runs[1]).toEqual(alone.runs[0]);
  });

  it('says where nothing is enough', async () => {
    const slo = file('hard.yaml', 'classes: [{ name: any, share: 1, ttftMs: 0.1 }]');
    const { out, exitCode } = await runCli(['simulate', '--fleet', FLEET, '--slo', slo, '--trace', TRACE, '--search', '0.9', '--json']);
    expect(exitCode).toBe(0);
    expect(JSON.parse(out)).toMatchObject({
      runs: [],
      unreachable: [{ policy: 'uellm', predictor: 'learned', seed: 1, attainment: 0.9, bestAttainment: 0 }],
    });
    const table = await runCli(['simulate', '--fleet', FLEET, '--slo', slo, '--trace', TRACE, '--search', '0.9']);
    const told = 'uellm, seed 1: no rate attains 90 %; the most at any was 0 %';
    expect(table.out).toBe(`${told}\n`);
    const report = join(folder, 'none.html');
    await runCli(['simulate', '--fleet', FLEET, '--slo', slo, '--trace', TRACE, '--search', '0.9', '--report', report]);
    expect(readFileSync(report, 'utf8')).toContain(told);
  });

  it('ends where everything is enough', async () => {
    const slo = file('easy.yaml', 'classes: [{ name: any, share: 1, e2eMs: 80000000 }]');
    const { out } = await runCli([
      'simulate',
      '--fleet',
      FLEET,
      '--slo',
      slo,
      '--trace',
      TRACE,
      '--limit',
      '5',
      '--search',
      '0.9',
      '--json',
    ]);
    const { runs, notes } = JSON.parse(out) as Answer;
    expect(runs[0]!.rateScale).toBeGreaterThan(1e4);
    expect(notes).toContain('uellm attains 90 % at every rate looked at: more requests would tell more');
  });
});

describe('for people', () => {
  it('tables fit the terminal and leave out columns rather than figures', async () => {
    const { out, err } = await runCli(['simulate', ...FILES, '--trace', TRACE, '--policy', 'edf,fcfs'], { columns: 80 });
    const lines = out.split('\n');
    expect(Math.max(...lines.map((line) => line.length))).toBeLessThanOrEqual(80);
    expect(lines[0]).toMatch(/^POLICY {2}RATE {2}ATTAINED {2}GOODPUT\/S {2}TTFT p50/);
    expect(lines[1]).toMatch(/^edf {5}1× {4}100 %/);
    expect(out).toContain('WORST TENTH BY INPUT');
    expect(out).not.toContain('…');
    expect(err).toMatch(/^note: hosts are filled with llama-3.1-8b/);
  });

  it('a report is written beside the result', async () => {
    const report = join(folder, 'report.html');
    const { err } = await simulate('--trace', TRACE, '--search', '0.9', '--limit', '30', '--report', report, '--json');
    expect(err).toContain(`report: ${report}`);
    const html = readFileSync(report, 'utf8');
    expect(html).toContain('trace.jsonl on 2 replicas of llama-3.1-8b');
    expect(html).toContain('fast: TTFT 200 ms, TPOT 30 ms, priority 10, share 1');
    expect(html).toContain('Points are all rates that the search looked at.');
  });

  it('a report is whole before anything is printed: whoever reads that may hang up', async () => {
    const report = join(folder, 'early.html');
    let found = '';
    const out = () => {
      found = existsSync(report) ? readFileSync(report, 'utf8') : '';
    };
    const terminal = { ...processTerminal(), out, err: () => undefined, errColumns: () => null };
    await simulateCommand(terminal, { output: 'json', trace: TRACE, fleet: FLEET, slo: SLO, report } as OutputOptions);
    expect(found).toMatch(/<\/html>\n$/);
  });
});

describe('bad usage', () => {
  it.each([
    [['--trace', TRACE, '--policy', 'best'], /--policy: got "best", allowed is one of .*"uellm"/],
    [['--trace', TRACE, '--predictor', 'psychic'], /--predictor: got "psychic", allowed is one of "learned", "class-mean", "oracle"/],
    [['--trace', TRACE, '--format', 'csv'], /--format: got "csv", allowed is one of "azure", "mooncake", "jsonl"/],
    [['--workload', 'poems'], /--workload: got "poems", allowed is one of "chat"/],
    [['--trace', TRACE, '--workload', 'chat'], /--workload: got "chat", allowed is absent beside --trace/],
    [[], /--trace: got nothing, allowed is a file, or --workload/],
    [['--trace', TRACE, '--requests', '5'], /--requests: got "5", allowed is absent without --workload/],
    [['--trace', TRACE, '--rate-scale', '0'], /--rate-scale: got .*0.*, allowed is a number of at least 0\.000001/],
    [['--trace', TRACE, '--policy', 'all,best'], /--policy: got "best", allowed is one of .*"uellm"/],
    [['--trace', TRACE, '--rate-scale', '1,fast'], /--rate-scale: got .*fast.*, allowed is a number/],
    [['--trace', TRACE, '--limit', '-3'], /--limit: got "-3", allowed is a number of at least 1/],
    [['--trace', TRACE, '--limit', '1.5'], /--limit: got "1.5", allowed is a whole number/],
    [['--trace', TRACE, '--seed', 'x'], /--seed: got "x", allowed is a number/],
    [['--trace', TRACE, '--search', '0.9,1.5'], /--search: got .*1\.5.*, allowed is a number of at most 1/],
    [['--trace', TRACE, '--search', '0'], /--search: got .*, allowed is a number above 0/],
    [
      ['--trace', TRACE, '--search', '0.9', '--rate-scale', '1,2'],
      /--rate-scale: got \["1","2"\], allowed is a single rate beside --search/,
    ],
    [['--trace', TRACE, '--memory', '2'], /--memory: got "2", allowed is a number of at most 1/],
    [['--trace', TRACE, '--model', 'gpt-9'], /--model: got "gpt-9", allowed is one of llama-3.1-8b, /],
    [['--trace', '/nothing/here.csv'], /--trace: got ENOENT/],
    [['--trace', file('empty.jsonl', '\n')], /--trace: got an empty file/],
    [['--trace', file('none.csv', 'TIMESTAMP,ContextTokens,GeneratedTokens\n')], /rows of the azure format/],
    [['--trace', file('vip.jsonl', row(0, { class: 'vip' }))], /line 1: class: got "vip", allowed is one of the SLO file's: fast, slow/],
    [['--trace', TRACE, '--report', '/nothing/here.html'], /--report: got "\/nothing\/here.html" \(ENOENT/],
    [
      ['--trace', TRACE, '--slo', file('bad.yaml', 'classes: [{ name: a, ttft: 3 }]')],
      /classes\[0\]\.ttft: got 3, allowed is no such field/,
    ],
    [['--trace', TRACE, '--slo', file('empty.yaml', '')], /empty\.yaml is not valid/],
    [['--trace', TRACE, '--fleet', '/nothing/here.yaml'], /--fleet: got "\/nothing\/here.yaml" \(ENOENT/],
  ])('%j', async (args, message) => {
    const { exitCode, err, out } = await simulate(...args);
    expect(err).toMatch(message);
    expect([exitCode, out]).toEqual([2, '']);
    expect(err).toMatch(/^error: /);
  });

  it('needs a fleet and an SLO file', async () => {
    expect(await runCli(['simulate', '--trace', TRACE, '--slo', SLO])).toMatchObject({
      exitCode: 2,
      err: expect.stringContaining('--fleet'),
    });
    expect(await runCli(['simulate', '--trace', TRACE, '--fleet', FLEET])).toMatchObject({
      exitCode: 2,
      err: expect.stringContaining('--slo'),
    });
  });

  it('is told all at once', async () => {
    const { err } = await simulate('--trace', TRACE, '--limit', '0', '--seed', '-1', '--policy', 'x,y');
    expect(err.trim().split('\n')).toHaveLength(5);
  });

  it('is not the same as a refusal', async () => {
    const fleet = file('small.yaml', 'hosts: [{ name: tiny, accelerators: [{ kind: t4, count: 2 }] }]');
    const { exitCode, err } = await simulate('--trace', TRACE, '--fleet', fleet, '--model', 'llama-3.1-70b');
    expect([exitCode, err]).toEqual([1, expect.stringMatching(/^error: llama-3.1-70b fits none of the hosts: tiny \(2 × T4\)/)]);
  });
});
