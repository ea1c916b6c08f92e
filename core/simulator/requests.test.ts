import { describe, expect, it } from 'vitest';
import { UellmError } from '../domain/errors.ts';
import { simulatedRequests } from './requests.ts';
import { sloFileSchema } from './slo-classes.ts';

const { classes } = sloFileSchema.parse({
  classes: [
    { name: 'chat', share: 3, ttftMs: 500, ttftPerInputTokenMs: 1, priority: 5 },
    { name: 'batch', share: 1, e2eMs: 60_000, priority: -1, queue: { maxWaitMs: 5000, onHopeless: 'shed' } },
    { name: 'by-name-only', share: 0, tpotMs: 50 },
  ],
});
const trace = Array.from({ length: 4000 }, (_, i) => ({ arrivalMs: 1000 + 10 * i, inputTokens: 1 + i, outputTokens: 5 }));
const options = { classes, rateScale: 1, seed: 1 };

describe('requests of a trace', () => {
  it('have the classes’ promises, by their prompts', () => {
    const [chat, batch] = simulatedRequests(
      [
        { ...trace[0]!, inputTokens: 100, class: 'chat' },
        { ...trace[1]!, class: 'batch', prefixBlocks: [7, 8] },
      ],
      options,
    );
    expect(chat).toMatchObject({ class: 'chat', priority: 5, targets: { ttftMs: 600 }, prefix: null });
    expect(batch).toMatchObject({ targets: { e2eMs: 60_000 }, queue: { maxWaitMs: 5000, onHopeless: 'shed' } });
    expect(batch!.prefix).toEqual({ blocks: [7, 8], blockTokens: 512 });
    expect(batch!.prefixBlocks).toEqual([7, 8]);
  });
  it('start at 0 and come as many times as fast as said', () => {
    expect(simulatedRequests(trace, { ...options, rateScale: 4 }).map((r) => r.arrivalMs)).toEqual(
      trace.map((r) => (r.arrivalMs - 1000) / 4),
    );
  });
  it('draw classes by their shares, the same at every rate, others with another seed', () => {
    const drawn = (parts: object) => simulatedRequests(trace, { ...options, ...parts }).map((r) => r.class);
    const names = drawn({});
    expect(names.filter((name) => name === 'chat').length / 4000).toBeCloseTo(0.75, 1);
    expect(names).not.toContain('by-name-only');
    expect(drawn({ rateScale: 17.3 })).toEqual(names);
    expect(drawn({ seed: 2 })).not.toEqual(names);
  });
  it('draw the same whether others name their class or not', () => {
    const some = trace.map((row, i) => (i % 2 ? { ...row, class: 'by-name-only' } : row));
    const [all, half] = [simulatedRequests(trace, options), simulatedRequests(some, options)];
    expect(half.filter((r, i) => i % 2 === 0 && r.class !== all[i]!.class)).toEqual([]);
    expect(half[1]!.class).toBe('by-name-only');
  });
  it('of a class that the SLO file has not are told of', () => {
    const run = () => simulatedRequests([trace[0]!, { ...trace[1]!, class: 'vip' }], options);
    expect(run).toThrow(UellmError);
    expect(run).toThrow(/class of request 2.*"vip".*chat, batch, by-name-only/);
    expect(simulatedRequests([], options)).toEqual([]);
  });
});
