import { describe, expect, it } from 'vitest';
import type { ReportedRun, Run } from '../../core/simulator/run.ts';
import type { PageData } from './page/data.ts';
import { type ReportHeader, renderReport } from './report.ts';

const header: ReportHeader = {
  title: 'code trace on 4 GPUs',
  generatedAt: '2026-03-02 14:20 UTC',
  trace: 'code.csv',
  format: 'azure',
  fleet: ['4 × llama-8b'],
  slo: ['chat: TTFT 500 ms'],
  seed: 42,
  notes: [],
};

const quantiles = { p50: 100, p90: 1234.56, p99: 4000 };

function reported(overrides: Partial<Run> = {}): ReportedRun {
  return {
    run: {
      policy: 'fcfs',
      predictor: 'oracle',
      rateScale: 1,
      seed: 42,
      requests: 100,
      durationSeconds: 60,
      attainment: 0.9,
      attainmentByClass: { chat: 0.95, code: 0.85 },
      attainmentByInputDecile: [1, 0.8],
      inputDecileTokens: [100, 2000],
      goodputPerSecond: 1.5,
      outputTokensPerSecond: 300,
      ttftMs: quantiles,
      tpotMs: quantiles,
      e2eMs: quantiles,
      shed: 2,
      rejected: 3,
      preemptions: 4,
      longestWaitSeconds: 12.3,
      gpuUtilisation: 0.7,
      costUsdPerThousandRequests: 0.62,
      ...overrides,
    },
    series: {
      ttftMs: [50, 100, 4000],
      tpotMs: [20, 30],
      e2eMs: [1000, 5000],
      utilisation: { intervalSeconds: 5, replicas: [{ id: 'llama-8b-0', shares: [0.5, 1] }] },
    },
  };
}

function inlined(html: string): PageData {
  return JSON.parse(/<script type="application\/json" id="data">(.*?)<\/script>/s.exec(html)![1]!) as PageData;
}

/** Text of the cells of the summary table's rows. */
function rows(html: string): string[][] {
  const bodies = [...html.matchAll(/<tbody>(.*?)<\/tbody>/gs)].flatMap(([, body]) => body!.trim().split('\n'));
  return bodies.map((row) => [...row.matchAll(/<t[hd][^>]*>(.*?)<\/t[hd]>/g)].map(([, cell]) => cell!));
}

describe('a report', () => {
  const sweep = [0.5, 1].flatMap((rateScale) => ['fcfs', 'edf'].map((policy) => reported({ policy, rateScale })));

  it('has its runs as JSON', () => {
    const data = inlined(renderReport(header, sweep));
    expect(data.runs).toEqual(sweep);
    expect(data.lines.map(({ label, runs }) => [label, runs])).toEqual([
      ['fcfs', [0, 2]],
      ['edf', [1, 3]],
    ]);
  });

  it('has a row for each run, by rate', () => {
    const table = rows(renderReport(header, sweep.toReversed()));
    expect(table.map(([policy, , rate]) => `${policy} ${rate}`)).toEqual(['edf 0.5×', 'fcfs 0.5×', 'edf 1×', 'fcfs 1×']);
  });

  it('says figures with their units and always as many digits', () => {
    const [row] = rows(renderReport(header, [reported()]));
    expect(row!.join(' | ')).toBe(
      'fcfs | oracle | 1× | 90.0 | 95.0 | 85.0 | 1.50 | 100 | 1,235 | 4,000 | 100.0 | 1,234.6 | 4,000.0 | 0.10 | 1.23 | 4.00 | 12.3 | 2 | 3 | 70.0 | 0.620',
    );
  });

  it('needs nothing from elsewhere', () => {
    const html = renderReport(header, sweep);
    expect(html).not.toMatch(/<(link|img|iframe)|\ssrc=|@import|url\(/);
    expect(html).toContain('uPlot=function');
    expect(html).toContain("default-src 'none'");
  });

  it('escapes every text', () => {
    const evil = `</script><img src=x onerror="alert('1')">`;
    const lines = [evil];
    const hostile = { ...header, title: evil, generatedAt: evil, trace: evil, format: evil, fleet: lines, slo: lines, notes: lines };
    const run = reported({ policy: evil, predictor: evil, attainmentByClass: { [evil]: 1 } });
    run.series.utilisation.replicas[0]!.id = evil;
    const html = renderReport(hostile, [run, reported()]);
    expect(html).not.toContain('<img');
    expect(html.match(/<\/script>/g)).toHaveLength(3);
    expect(inlined(html).runs[0]).toEqual(run);
  });

  it('says that one rate makes points', () => {
    expect(renderReport(header, [reported()])).toContain('Only one rate was run (1×)');
    expect(renderReport(header, sweep)).not.toContain('Only one rate');
  });

  it('begins at the rate of the trace', () => {
    const html = renderReport(header, sweep);
    expect(html).toContain('<option value="1" selected>1× the trace&#39;s rate</option>');
    expect(html).toContain('<option value="2" selected>fcfs at 1×</option>');
  });

  it('says when there are no runs', () => {
    const html = renderReport(header, []);
    expect(html).toContain('No simulated runs');
    expect(html).not.toContain('<script');
    expect(html).toContain('no run was simulated');
    expect(renderReport(header, [], [reported().run])).toContain('no rate that was looked at attains what was searched for');
  });

  it('leaves out what is not known', () => {
    const [row] = rows(renderReport(header, [reported({ costUsdPerThousandRequests: null, attainment: Number.NaN })]));
    expect(row!.at(-1)).toBe('–');
    expect(row![3]).toBe('–');
  });

  it('tells what was searched for', () => {
    const html = renderReport(header, [reported({ rateScale: 1.2345678, searchedAttainment: 0.99 })]);
    expect(rows(html)[0]!.slice(2, 4)).toEqual(['1.235×', '99.0']);
    expect(html).toContain('fastest found with 99 % attainment');
  });

  it('mentions targets only where there are some', () => {
    expect(renderReport({ ...header, targets: { ttftMs: [500] } }, sweep)).toContain('SLO targets.');
    expect(renderReport({ ...header, targets: { ttftMs: [] } }, sweep)).not.toContain('SLO targets.');
  });
});
