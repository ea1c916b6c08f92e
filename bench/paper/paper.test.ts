import { describe, expect, it } from 'vitest';
import { type Answers, FITTED, MODEL, syntheticAnswers } from './answers.ts';
import { LENGTHS, predictAnswers } from './predictions.ts';
import { type Result, renderCaveats, renderResults } from './report.ts';
import { ROWS } from './rows.ts';
import { runPaper } from './run.ts';
import { paperRequests } from './scenario.ts';

const answers: Answers = syntheticAnswers();
const own = answers.byModel.get(MODEL)!;

describe('the paper’s setting', () => {
  it('gives SLOs by position, the same first requests to fewer', () => {
    const requests = paperRequests(own, 300, 1).map(({ request }) => request);
    expect(requests[0]!.targets.e2eMs).toBeGreaterThan(220_000);
    expect(requests[99]!.targets.e2eMs).toBeLessThan(100_000);
    const first = paperRequests(own, 100, 1).map(({ request }) => request);
    expect(first.map((r) => r.outputTokens)).toEqual(requests.slice(0, 100).map((r) => r.outputTokens));
  });
  it.each(LENGTHS)('predicts every answer: %s', (lengths) => {
    const predicted = predictAnswers(answers, MODEL, lengths);
    expect(predicted).toHaveLength(FITTED.prompts);
    expect(predicted.every(({ p50, p90 }) => p50 >= 1 && p90 >= p50)).toBe(true);
    if (lengths === 'oracle') return;
    const covered = predicted.filter(({ p90 }, i) => own[i]!.outputTokens <= p90).length / own.length;
    expect(covered).toBeGreaterThan(0.8);
  });
  it.each(
    ROWS.filter(({ lengths }) => lengths === 'oracle' || lengths === 'learned').map(
      (row) => [`${row.label}, ${row.batching}, ${row.lengths}`, row] as const,
    ),
  )('is run by %s', (_, row) => {
    const predictions = predictAnswers(answers, MODEL, row.lengths);
    const run = () => runPaper({ policy: row.policy, replicas: row.engines(1), answers: own, predictions, requests: 40, seed: 1 });
    const result = run();
    expect(result).toEqual(run());
    expect(result.makespanSeconds).toBeGreaterThan(5);
    expect(result.p99LatencySeconds).toBeLessThanOrEqual(result.makespanSeconds);
    expect(result.utilisation).toBeGreaterThan(0.3);
    expect(result.utilisation).toBeLessThanOrEqual(1);
  });
  it('is told as a table', () => {
    const figure = { median: 0.125, min: 0, max: 0.2 };
    const names = ['defaultRate', 'makespanSeconds', 'meanLatencySeconds', 'p99LatencySeconds', 'tokensPerSecond', 'utilisation'] as const;
    const figures = Object.fromEntries(names.map((name) => [name, figure])) as Result['figures'];
    const text = renderResults([{ policy: 'uellm', batching: 'static, 10', lengths: null, engines: 1, requests: 100, figures }], 1, 100);
    expect(text).toContain('12.5');
    expect(text).toContain('Released by the paper');
    expect(renderCaveats(answers, MODEL, 1)).toContain('lognormal');
  });
});
