import { describe, expect, it } from 'vitest';
import type { Problem, SloPolicyResource } from '../../../api/schema/index.ts';
import { change, EMPTY_FORM, issuesOf, pointsText, questionOf } from './what-if.ts';

const chat = {
  name: 'chat',
  priority: 100,
  targets: { ttftMs: 500, tpotMs: 50, attainment: 0.9 },
  status: {},
} as unknown as SloPolicyResource;
const asked = (fields: Partial<typeof EMPTY_FORM>) => questionOf({ ...EMPTY_FORM, ...fields }, [chat]);

describe('the question', () => {
  it('holds what was filled in, and nothing else', () => {
    expect(asked({})).toEqual({ windowSeconds: 3600 });
    expect(asked({ hours: '2', policy: 'chat', tpotMs: '20' })).toEqual({
      windowSeconds: 7200,
      policies: [{ name: 'chat', priority: 100, targets: { ttftMs: 500, tpotMs: 20, attainment: 0.9 } }],
    });
    expect(
      asked({ priceKind: 'L4', usdPerHour: '0.4', hostKind: 'L4', hostCount: '2', removeHost: 'h1', deployment: 'chat', replicas: '3' }),
    ).toEqual({
      windowSeconds: 3600,
      prices: { L4: 0.4 },
      addHosts: [{ name: 'what-if', simulated: true, accelerators: [{ kind: 'L4', count: 2 }] }],
      removeHosts: ['h1'],
      replicas: { chat: 3 },
    });
    expect(asked({ policy: 'chat' })).toEqual({ windowSeconds: 3600 });
  });

  it('leaves it to the API to refuse what is no number', () => {
    expect(asked({ hours: 'soon', deployment: 'chat', replicas: 'many' })).toEqual({ windowSeconds: 'soon', replicas: { chat: 'many' } });
  });
});

it('problems are at their fields', () => {
  const issue = (field: string) => ({ field, given: '-5', allowed: 'a number above 0' });
  const text = 'a number above 0; given: -5';
  const found = issuesOf({
    issues: [issue('policies[0].targets.tpotMs'), issue('prices.L4'), issue('requests')],
    detail: 'bad',
  } as Problem);
  expect(found).toEqual({ fields: { tpotMs: text, usdPerHour: text }, rest: [`requests: ${text}`] });
  expect(issuesOf({ detail: 'too busy' } as Problem)).toEqual({ fields: {}, rest: ['too busy'] });
});

it.each([
  [0.9, 0.921, '+2.1 points'],
  [0.9, 0.8, '−10 points'],
  [0.9, 0.9, '±0'],
  [null, 0.9, ''],
])('from %j to %j is %j', (before, after, text) => expect(pointsText(change(before, after))).toBe(text));
