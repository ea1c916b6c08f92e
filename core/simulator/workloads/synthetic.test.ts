import { existsSync, readFileSync } from 'node:fs';
import { beforeEach, describe, expect, it } from 'vitest';
import { traceParser } from '../traces/trace.ts';
import { gapsMs, inputs, mean, outputs, quantile, ratePerSecond, repeatedBlocks, variation } from './measures.ts';
import { SYNTHETIC_WORKLOADS, syntheticWorkload } from './synthetic.ts';

const NAMES = SYNTHETIC_WORKLOADS.map((workload) => workload.name);

describe.each(NAMES)('%s', (name) => {
  const requests = syntheticWorkload(name, { seed: 3, requests: 5000 });

  it('has as many requests as asked for, in order, of whole tokens and with classes', () => {
    expect(requests).toHaveLength(5000);
    expect(gapsMs(requests).every((gap) => gap >= 0)).toBe(true);
    expect(requests[0]!.arrivalMs).toBeGreaterThanOrEqual(0);
    expect([...inputs(requests), ...outputs(requests)].every((tokens) => Number.isInteger(tokens) && tokens >= 1)).toBe(true);
    const share = requests.filter((r) => r.class === 'interactive').length / requests.length;
    expect(share).toBeCloseTo(0.6, 1);
  });

  it('is the same for the same seed, another for another', () => {
    expect(syntheticWorkload(name, { seed: 3, requests: 5000 })).toEqual(requests);
    expect(syntheticWorkload(name, { seed: 4, requests: 5000 })).not.toEqual(requests);
  });

  it('comes at the rate asked for', () => {
    const fast = syntheticWorkload(name, { seed: 3, requests: 20_000, requestsPerSecond: 40 });
    expect(ratePerSecond(fast)).toBeGreaterThan(34);
    expect(ratePerSecond(fast)).toBeLessThan(46);
  });
});

/** Of 60,000 requests against what the sources say, each within a share of it. */
describe.each([
  { name: 'chat', input: { mean: 1155 }, output: { mean: 211 }, cv: 1.09 },
  { name: 'code', input: { mean: 2048, 0.5: 1500, 0.99: 7436 }, output: { mean: 28, 0.5: 13, 0.99: 249 }, cv: 1 },
  {
    name: 'reasoning',
    input: { mean: 1268, 0.25: 41, 0.5: 208, 0.9: 2092, 0.99: 23_423 },
    output: { mean: 1527, 0.05: 225, 0.5: 792, 0.95: 5701, 0.99: 12_607 },
    cv: 1.2,
  },
  {
    name: 'summarise',
    input: { mean: 2588, 0.1: 1242, 0.5: 2730, 0.9: 3702 },
    output: { mean: 291, 0.1: 78, 0.5: 167, 0.9: 372, 0.99: 3273 },
    cv: 1,
  },
  { name: 'bursty', input: { mean: 1155 }, output: { mean: 211 }, cv: 3 },
])('$name against its source', ({ name, input, output, cv }) => {
  const requests = syntheticWorkload(name, { seed: 11, requests: 60_000 });
  const near = (values: number[], expected: Record<string, number | undefined>) => {
    for (const [statistic, value = 0] of Object.entries(expected)) {
      const measured = statistic === 'mean' ? mean(values) : quantile(values, Number(statistic));
      expect(Math.abs(measured / value - 1), `${statistic}: ${measured} instead of ${value}`).toBeLessThan(
        statistic === 'mean' ? 0.05 : 0.1,
      );
    }
  };
  it('has its inputs', () => near(inputs(requests), input));
  it('has its outputs', () => near(outputs(requests), output));
  it('has its burstiness', () => expect(variation(gapsMs(requests)) / cv).toBeCloseTo(1, 1));
});

describe('summarise', () => {
  it('fits the context of its source, and long answers have short prompts', () => {
    const requests = syntheticWorkload('summarise', { seed: 1, requests: 30_000 });
    expect(Math.max(...requests.map((r) => r.inputTokens + r.outputTokens))).toBeLessThanOrEqual(4096);
    expect(mean(inputs(requests.filter((r) => r.outputTokens >= 600))) / 871).toBeCloseTo(1, 0);
  });
});

describe('diurnal', () => {
  it('has one day, four times as many at its peak as at its trough', () => {
    const requests = syntheticWorkload('diurnal', { seed: 1, requests: 100_000, requestsPerSecond: 10 });
    const count = (from: number, to: number) => requests.filter((r) => r.arrivalMs >= from * 1e7 && r.arrivalMs < to * 1e7).length;
    const ratio = count(0.2, 0.3) / count(0.7, 0.8);
    expect(ratio).toBeGreaterThan(3);
    expect(ratio).toBeLessThan(5);
  });
});

describe('mooncake-chat', () => {
  const requests = syntheticWorkload('mooncake-chat', { seed: 11, requests: 12_031 });

  it('has the lengths, the rate and the repeats of the trace', () => {
    expect(mean(inputs(requests)) / 12_035).toBeCloseTo(1, 1);
    expect(mean(outputs(requests)) / 343).toBeCloseTo(1, 1);
    for (const [share, tokens] of [
      [0.1, 964],
      [0.5, 6909],
      [0.9, 27_367],
    ] as const)
      expect(Math.abs(quantile(inputs(requests), share) / tokens - 1)).toBeLessThan(0.15);
    expect(ratePerSecond(requests)).toBeCloseTo(3.4, 0);
    expect(repeatedBlocks(requests)).toBeGreaterThan(0.33);
    expect(repeatedBlocks(requests)).toBeLessThan(0.4);
    expect(variation(gapsMs(requests))).toBeCloseTo(1, 1);
  });

  it('is as dense at its start as later', () => {
    const quarter = requests.filter((r) => r.arrivalMs < requests.at(-1)!.arrivalMs / 4).length;
    expect(quarter / (requests.length / 4)).toBeCloseTo(1, 0);
    expect(quarter / (requests.length / 4)).toBeGreaterThan(0.9);
  });

  it('has a block for every 512 tokens, and what two prompts share is their beginning', () => {
    const placeOf = new Map<string | number, string>();
    const misplaced = requests.flatMap(({ inputTokens, prefixBlocks = [] }) => {
      const wrong = prefixBlocks.filter((block, i) => {
        // A block is always at the same place and after the same block.
        const place = `${i} after ${prefixBlocks[i - 1]}`;
        const known = placeOf.get(block) ?? place;
        placeOf.set(block, place);
        return known !== place;
      });
      return prefixBlocks.length === Math.ceil(inputTokens / 512) && new Set(prefixBlocks).size === prefixBlocks.length
        ? wrong
        : [inputTokens];
    });
    expect(misplaced).toEqual([]);
  });

  it('grows from turn to turn', () => {
    const conversations = new Map<string | number, number[]>();
    for (const { inputTokens, prefixBlocks = [] } of requests) {
      const second = prefixBlocks[1];
      if (second !== undefined && inputTokens >= 1024) conversations.set(second, [...(conversations.get(second) ?? []), inputTokens]);
    }
    const turns = [...conversations.values()];
    expect(turns.some((lengths) => lengths.length >= 5)).toBe(true);
    expect(turns.every((lengths) => lengths.every((tokens, i) => i === 0 || tokens > lengths[i - 1]!))).toBe(true);
  });

  it('of a longer stream begins with the shorter one', () => {
    expect(syntheticWorkload('mooncake-chat', { seed: 11, requests: 500 })).toEqual(requests.slice(0, 500));
  });
});

describe('syntheticWorkload', () => {
  it('names the workloads where it does not know one', () => {
    expect(() => syntheticWorkload('chats', { seed: 1, requests: 1 })).toThrow(
      `workload is not valid: name: got "chats", allowed is one of ${NAMES.join(', ')}`,
    );
  });

  it.each([
    [{ requests: 0 }, 'workload code is not valid: requests: got 0, allowed is a number of at least 1'],
    [{ requests: 1.5 }, 'requests: got 1.5, allowed is a whole number'],
    [{ requests: 1, requestsPerSecond: 0 }, 'requestsPerSecond: got 0, allowed is a number above 0'],
  ])('refuses %j', (options, message) => {
    expect(() => syntheticWorkload('code', { seed: 1, ...options })).toThrow(message);
  });
});

const trace = new URL('../../../../shared/data/traces/mooncake_conversation.jsonl', import.meta.url);

describe('mooncake-chat against the trace itself', () => {
  beforeEach((context) => context.skip(!existsSync(trace), 'there is no ../shared/data beside this checkout'));
  it('repeats as much of its prompts, in a short stream as in the whole', () => {
    const parser = traceParser('mooncake', 'trace');
    for (const line of readFileSync(trace, 'utf8').split('\n')) parser.line(line);
    const real = parser.end().requests;
    const drawn = syntheticWorkload('mooncake-chat', { seed: 11, requests: real.length });
    for (const count of [1000, 2000, 4000, real.length]) {
      const difference = repeatedBlocks(drawn.slice(0, count)) - repeatedBlocks(real.slice(0, count));
      expect(Math.abs(difference), `first ${count}`).toBeLessThan(0.06);
    }
  });
});
