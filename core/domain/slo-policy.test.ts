import { describe, expect, it } from 'vitest';
import { FALLBACK_POLICY, matchPolicy, type SloPolicy, sloPolicySchema, violatedTargets } from './slo-policy.ts';

const policy = (name: string, match: Partial<SloPolicy['match']>, priority = 0) =>
  sloPolicySchema.parse({ name, match, targets: { ttftMs: 1 }, priority });
const request = { model: 'm', tenant: 't', class: 'interactive' };

describe('matchPolicy', () => {
  it.each<[string, SloPolicy[], string]>([
    ['nothing', [], FALLBACK_POLICY.name],
    ['another model', [policy('a', { model: 'other' })], FALLBACK_POLICY.name],
    ['any', [policy('a', {})], 'a'],
    ['the model before any', [policy('a', {}), policy('b', { model: 'm' })], 'b'],
    ['the class before the model', [policy('a', { model: 'm' }), policy('b', { class: 'interactive' })], 'b'],
    ['the tenant before class and model', [policy('a', { model: 'm', class: 'interactive' }), policy('b', { tenant: 't' })], 'b'],
    ['the higher priority among equals', [policy('a', {}), policy('b', {}, 5)], 'b'],
    ['the first name among equals', [policy('b', {}), policy('a', {})], 'a'],
  ])('prefers %s', (_, policies, expected) => {
    expect(matchPolicy(policies, request).name).toBe(expected);
  });
});

describe('the weight of a tenant', () => {
  const parse = (weight: unknown) => sloPolicySchema.safeParse({ name: 'p', targets: { ttftMs: 1 }, weight });
  it('is a positive number, or left out', () => {
    expect(parse(0.5).data?.weight).toBe(0.5);
    expect(parse(undefined)).toMatchObject({ success: true, data: { name: 'p' } });
    for (const wrong of [0, -1, 1001, '2', null]) expect(parse(wrong).success).toBe(false);
  });
});

describe('violatedTargets', () => {
  const targets = { ttftMs: 500, tpotMs: 50, e2eMs: 10_000, attainment: 0.99 };
  it('names every target that was missed', () => {
    expect(violatedTargets(targets, { ttftMs: 501, tpotMs: 51, e2eMs: 10_001 })).toEqual(['ttft', 'tpot', 'e2e']);
  });
  it('counts the limit itself as met, and a single token as having no pace', () => {
    expect(violatedTargets(targets, { ttftMs: 500, e2eMs: 10_000 })).toEqual([]);
  });
});
