import { existsSync, readFileSync } from 'node:fs';
import { beforeEach, describe, expect, it } from 'vitest';
import { lengthsWorkload, parseLengths } from './lengths.ts';
import { inputs, mean, outputs, ratePerSecond } from './measures.ts';

describe('parseLengths', () => {
  it('finds its columns and leaves the others', () => {
    const { lengths, rejected } = parseLengths(
      '\uFEFFpd_ratio,num_decode_tokens, num_prefill_tokens\r\n9.5,20,190\r\n\r\n1,5,5',
      'lengths',
    );
    expect(lengths).toEqual([
      { inputTokens: 190, outputTokens: 20 },
      { inputTokens: 5, outputTokens: 5 },
    ]);
    expect(rejected.count).toBe(0);
  });

  it('counts what it rejects, and says why', () => {
    const { lengths, rejected } = parseLengths('num_prefill_tokens,num_decode_tokens\n1,2\n0,4\n5\n1.5,2\n7,99999999', 'lengths');
    expect(lengths).toHaveLength(1);
    expect(rejected).toEqual({
      count: 4,
      examples: [
        { line: 3, reason: 'num_prefill_tokens: got 0, allowed is a whole number from 1 to 10000000' },
        { line: 4, reason: 'num_decode_tokens: got nothing, allowed is a whole number from 1 to 10000000' },
        { line: 5, reason: 'num_prefill_tokens: got 1.5, allowed is a whole number from 1 to 10000000' },
        { line: 6, reason: 'num_decode_tokens: got 99999999, allowed is a whole number from 1 to 10000000' },
      ],
    });
  });

  it.each([
    ['', 'got first line "", allowed is a header with num_prefill_tokens, num_decode_tokens'],
    ['a,b\n1,2', 'got first line "a,b"'],
    ['num_prefill_tokens,num_decode_tokens\n0,0', 'got 1 rows without two lengths'],
  ])('refuses %j', (text, message) => {
    expect(() => parseLengths(text, 'lengths a.csv')).toThrow(message);
  });
});

describe('lengthsWorkload', () => {
  const lengths = [1, 2, 3].map((n) => ({ inputTokens: n, outputTokens: 10 * n }));

  it('takes them in order, and begins again after the last', () => {
    const requests = lengthsWorkload(lengths, { seed: 1, requestsPerSecond: 5, order: 'file', requests: 7 });
    expect(inputs(requests)).toEqual([1, 2, 3, 1, 2, 3, 1]);
    expect(outputs(requests)).toEqual([10, 20, 30, 10, 20, 30, 10]);
    expect(lengthsWorkload(lengths, { seed: 1, requestsPerSecond: 5, order: 'file' })).toEqual(requests.slice(0, 3));
  });

  it('samples pairs by seed, each as often as the others', () => {
    const requests = lengthsWorkload(lengths, { seed: 1, requestsPerSecond: 5, order: 'sampled', requests: 30_000 });
    expect(requests.every((r) => r.outputTokens === 10 * r.inputTokens)).toBe(true);
    expect(mean(inputs(requests))).toBeCloseTo(2, 1);
    expect(ratePerSecond(requests)).toBeCloseTo(5, 0);
    expect(lengthsWorkload(lengths, { seed: 1, requestsPerSecond: 5, order: 'sampled', requests: 30_000 })).toEqual(requests);
    expect(lengthsWorkload(lengths, { seed: 2, requestsPerSecond: 5, order: 'sampled', requests: 30_000 })).not.toEqual(requests);
  });
});

const arxiv = new URL('../../../../shared/data/traces/arxiv_lengths.csv', import.meta.url);

describe('real lengths', () => {
  beforeEach((context) => context.skip(!existsSync(arxiv), 'there is no ../shared/data beside this checkout'));
  it('every row of arxiv_lengths.csv', () => {
    const { lengths, rejected } = parseLengths(readFileSync(arxiv, 'utf8'), 'lengths');
    expect(lengths).toHaveLength(28_257);
    expect(rejected.count).toBe(0);
    expect(Math.round(mean(lengths.map((l) => l.inputTokens)))).toBe(2588);
    expect(Math.round(mean(lengths.map((l) => l.outputTokens)))).toBe(291);
  });
});
