import { describe, expect, it } from 'vitest';
import { correctionTone, effectOf, evidenceOf } from './corrections.ts';

describe('a correction', () => {
  it('states its evidence in words and figures', () => {
    const evidence = { message: 'steps take longer', measuredRatio: 1.23456, answers: 12_345, host: 'h1' };
    expect(evidenceOf({ evidence })).toEqual({
      message: 'steps take longer',
      figures: ['measured ratio 1.235', 'answers 12,350', 'host "h1"'],
    });
    expect(evidenceOf({ evidence: {} })).toEqual({ message: '', figures: [] });
  });

  it.each([
    [0.912, 0.97, '91.2 % → 97.0 %'],
    [0.9, null, '90.0 % → ?'],
    [null, null, ''],
  ])('with %s before and %s after shows %j', (attainmentBefore, attainmentAfter, shown) => {
    expect(effectOf({ attainmentBefore, attainmentAfter })).toBe(shown);
  });

  it('has a tone for each state', () => {
    expect((['active', 'kept', 'undone', 'failed'] as const).map(correctionTone)).toEqual(['busy', 'good', 'quiet', 'bad']);
  });
});
