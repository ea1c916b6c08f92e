import { describe, expect, it } from 'vitest';
import type { Explanation } from '../../core/scheduler/explanation.ts';
import { explanationHeader } from './explanation-header.ts';

const considered = (i: number) => ({ replica: `replica-${i}`, ttftMs: 1000 - i, tpotMs: 20.25, inFlight: 3, verdict: 'not preferred' });
const explanation = (count: number, parts: Partial<Explanation> = {}): Explanation => ({
  policy: 'edf',
  because: 'first token due in 480 ms',
  replica: 'replica-0',
  waitedMs: 1.5,
  considered: Array.from({ length: count }, (_, i) => considered(i)),
  ...parts,
});

describe('the explanation as a header', () => {
  it('holds all of it while that is short', () => {
    const given = explanation(3);
    const told = JSON.parse(explanationHeader(given));
    expect(told).toMatchObject({ policy: 'edf', because: given.because, replica: 'replica-0', waitedMs: 1.5, leftOut: 0 });
    expect(told.considered).toEqual([considered(0), considered(2), considered(1)]);
  });

  it('keeps the chosen replica and those with the nearest first token within 4 KB, and says how many it left out', () => {
    const header = explanationHeader(explanation(500));
    expect(header.length).toBeLessThanOrEqual(4096);
    expect(header.length).toBeGreaterThan(3900);
    const told = JSON.parse(header);
    const names = told.considered.map((c: { replica: string }) => c.replica);
    expect(names.slice(0, 3)).toEqual(['replica-0', 'replica-499', 'replica-498']);
    expect(names.length + told.leftOut).toBe(500);
  });

  it('is ASCII without control characters, whatever a policy writes', () => {
    const because = `früh\r\nx-evil: 1 ${'長'.repeat(1000)}`;
    const header = explanationHeader(explanation(40, { because }));
    expect(header).toMatch(/^[\x20-\x7e]{1,4096}$/);
    expect(because.startsWith(JSON.parse(header).because)).toBe(true);
  });
});
