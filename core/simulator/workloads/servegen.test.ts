import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { beforeEach, describe, expect, it } from 'vitest';
import { gapsMs, inputs, mean, outputs, quantile, variation } from './measures.ts';
import { type ServeGenFiles, servegenWorkload } from './servegen.ts';

const HOUR = { seed: 1, startSeconds: 0, durationSeconds: 3600 };

const dataset = (windows: Record<string, [input: string, output: string]>) =>
  JSON.stringify(
    Object.fromEntries(Object.entries(windows).map(([start, [input_tokens, output_tokens]]) => [start, { input_tokens, output_tokens }])),
  );

/** Six windows of ten minutes, each `row` after its start. */
function client(row: string, { name = 'a', lengths = dataset({ 0: ['{7: 1.0}', '{9: 1.0}'] }) } = {}): ServeGenFiles {
  const trace = [0, 600, 1200, 1800, 2400, 3000].map((start) => `${start},${row}`).join('\n');
  return { name, trace, dataset: lengths };
}

describe('servegenWorkload', () => {
  it.each([
    ['0.4,Gamma', 0.4],
    ['3,Gamma', 3],
    ['2,Weibull', 2],
    ['1.5,Unheard-of', 1.5],
    ['0,', 1],
  ])('arrives at the rate with the CV and distribution %s', (columns, cv) => {
    const requests = servegenWorkload([client(`10,${columns},0,0`)], HOUR);
    expect(requests.length / (10 * 3600)).toBeCloseTo(1, 1);
    expect(variation(gapsMs(requests)) / cv).toBeCloseTo(1, 1);
    expect(gapsMs(requests).every((gap) => gap >= 0)).toBe(true);
  });

  it('brings no burst at the start of a window, however bursty the client', () => {
    const bursty = Array.from({ length: 300 }, (_, i) => client('0.05,6,Gamma,0,0', { name: `client ${i}` }));
    const requests = servegenWorkload(bursty, HOUR);
    expect(requests.length / (300 * 0.05 * 3600)).toBeCloseTo(1, 1);
    const early = requests.filter((r) => r.arrivalMs < 60_000).length;
    expect(early / (300 * 0.05 * 60)).toBeGreaterThan(0.6);
    expect(early / (300 * 0.05 * 60)).toBeLessThan(1.5);
  });

  it('follows the rate from window to window, and is silent where there is none', () => {
    const files = { ...client(''), trace: '0,0,0,,0,0\n600,2,1,Gamma,0,0\n1200,0,0,,0,0\n1800,10,1,Gamma,0,0\n' };
    const requests = servegenWorkload([files], { ...HOUR, durationSeconds: 2400 });
    const counts = [0, 600, 1200, 1800].map(
      (s) => requests.filter((r) => r.arrivalMs >= s * 1000 && r.arrivalMs < (s + 600) * 1000).length,
    );
    expect(counts[0]).toBe(0);
    expect(counts[1]! / 1200).toBeCloseTo(1, 0);
    expect(counts[2]).toBe(0);
    expect(counts[3]! / 6000).toBeCloseTo(1, 1);
  });

  it('counts arrivals from its start, and ends in time', () => {
    const requests = servegenWorkload([client('5,1,Gamma,0,0')], { seed: 1, startSeconds: 900, durationSeconds: 300 });
    expect(requests.at(0)!.arrivalMs).toBeLessThan(5000);
    expect(requests.at(-1)!.arrivalMs).toBeGreaterThan(290_000);
    expect(requests.at(-1)!.arrivalMs).toBeLessThan(300_000);
  });

  it('draws lengths by their probabilities, from the window it is in, the one before, or else the first', () => {
    const lengths = dataset({ 1200: ['{100: 0.25, 200: 7.5e-1}', '{5: 1}'], 1800: ['{}', '{}'], 2400: ['{3: 2, 4: 2}', '{6: 1}'] });
    const requests = servegenWorkload([client('10,1,Gamma,0,0', { lengths })], HOUR);
    const before = requests.filter((r) => r.arrivalMs < 2_400_000);
    const after = requests.filter((r) => r.arrivalMs >= 2_400_000);
    expect(new Set(inputs(before))).toEqual(new Set([100, 200]));
    expect(mean(inputs(before))).toBeCloseTo(175, -1);
    expect(new Set(outputs(before))).toEqual(new Set([5]));
    expect(mean(inputs(after))).toBeCloseTo(3.5, 1);
    expect(new Set(outputs(after))).toEqual(new Set([6]));
  });

  it('is the same for the same seed, and a client is the same in any company', () => {
    const a = client('5,1,Gamma,0,0');
    const b = client('5,2,Weibull,0,0', { name: 'b', lengths: dataset({ 0: ['{1: 1}', '{1: 1}'] }) });
    const both = servegenWorkload([a, b], HOUR);
    expect(servegenWorkload([b, a], HOUR)).toEqual(both);
    expect(servegenWorkload([a, b], { ...HOUR, seed: 2 })).not.toEqual(both);
    expect(both.filter((r) => r.inputTokens === 7)).toEqual(servegenWorkload([a], HOUR));
  });

  it('asks a client without requests for no lengths', () => {
    expect(servegenWorkload([client('0,0,,0,0', { lengths: dataset({}) })], HOUR)).toEqual([]);
  });

  it.each([
    [client('x,1,Gamma,0,0'), 'ServeGen client a is not valid: trace line 1: got "0,x,1,Gamma,0,0"'],
    [client(''), 'trace line 1'],
    [{ ...client(''), trace: '' }, 'time: got 0 s to 3600 s, allowed is a time within its windows, 0 s to 0 s'],
    [client('1,1,Gamma,0,0', { lengths: 'no' }), 'dataset: got "no", allowed is a JSON object'],
    [client('1,1,Gamma,0,0', { lengths: '{"0": 3}' }), 'got 3, allowed is'],
    [client('1,1,Gamma,0,0', { lengths: dataset({ 0: ['{}', '{}'] }) }), 'dataset: got no window with lengths'],
  ])('says what is wrong with a file (%#)', (files, message) => {
    expect(() => servegenWorkload([files], HOUR)).toThrow(message);
  });

  it('refuses a time that the files do not cover', () => {
    expect(() => servegenWorkload([client('1,1,Gamma,0,0')], { ...HOUR, startSeconds: 1 })).toThrow(
      'allowed is a time within its windows, 0 s to 3600 s',
    );
  });
});

const folder = new URL('../../../../shared/data/traces/servegen_deepseek-r1/', import.meta.url);

describe('a reasoning service', () => {
  beforeEach((context) => context.skip(!existsSync(folder), 'there is no ../shared/data beside this checkout'));
  it('has the rate and the lengths of its files', () => {
    const text = (file: string) => readFileSync(new URL(file, folder), 'utf8');
    const names = readdirSync(folder).flatMap((file) => (file.endsWith('-trace.csv') ? [file.replace('-trace.csv', '')] : []));
    const clients = names.map((name) => ({ name, trace: text(`${name}-trace.csv`), dataset: text(`${name}-dataset.json`) }));
    const requests = servegenWorkload(clients, { seed: 1, startSeconds: 0, durationSeconds: 86_400 });
    // Computed from the files: requests, mean and quantiles over the clients' distributions weighted by their rates.
    expect(requests.length / 1_383_669).toBeCloseTo(1, 1);
    const some = requests.filter((_, i) => i % 10 === 0);
    expect(mean(inputs(requests)) / 1268).toBeCloseTo(1, 1);
    expect(mean(outputs(requests)) / 1527).toBeCloseTo(1, 1);
    expect(quantile(outputs(some), 0.5) / 792).toBeCloseTo(1, 1);
    expect(quantile(outputs(some), 0.95) / 5701).toBeCloseTo(1, 1);
    expect(quantile(inputs(some), 0.9) / 2092).toBeCloseTo(1, 1);
  });
});
