import { describe, expect, it } from 'vitest';
import type { Problem, SloPolicyResource } from '../../../api/schema/index.ts';
import { whatIfInputSchema } from '../../../api/schema/what-if.ts';
import { MOST_REPLAY_HOURS } from '../../../core/domain/replay-window.ts';
import { queryWith } from '../state/address.ts';
import {
  addressWith,
  change,
  EMPTY_FORM,
  type FormField,
  type FormIssues,
  formOf,
  issuesOf,
  mistakesIn,
  pointsText,
  questionOf,
  type WhatIfForm,
} from './what-if.ts';

const chat = {
  name: 'chat',
  priority: 100,
  targets: { ttftMs: 500, tpotMs: 50, attainment: 0.9 },
  status: {},
} as unknown as SloPolicyResource;
const filled = (fields: Partial<WhatIfForm>): WhatIfForm => ({ ...EMPTY_FORM, ...fields });
const asked = (fields: Partial<WhatIfForm>) => questionOf(filled(fields), [chat]);
const mistakes = (fields: Partial<WhatIfForm>) => mistakesIn(filled(fields), [chat]);

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
  });

  it('leaves it to the API to refuse what is no number', () => {
    expect(asked({ deployment: 'chat', replicas: 'many' })).toEqual({ windowSeconds: 3600, replicas: { chat: 'many' } });
  });
});

describe('mistakes', () => {
  it.each<[Partial<WhatIfForm>, FormIssues['fields']]>([
    [{}, {}],
    [{ policy: 'chat', tpotMs: '20', deployment: 'chat', replicas: '0' }, {}],
    [{ deployment: 'chat' }, { replicas: 'a number of replicas; given: nothing' }],
    [{ priceKind: 'L4', usdPerHour: ' ' }, { usdPerHour: 'a price, USD an hour; given: nothing' }],
    [{ hostKind: 'L4' }, { hostCount: 'a number of accelerators; given: nothing' }],
    [{ policy: 'chat' }, { policy: 'a policy and another target for it; given: chat as it is' }],
    [{ policy: 'gone', tpotMs: '20' }, { policy: 'one of chat; given: gone' }],
  ])('of %j are %j', (fields, found) => expect(mistakes(fields)).toEqual(found));

  it.each(['0', '-1', '168.1', 'soon', ''])('%j are no hours', (hours) =>
    expect(mistakes({ hours })).toEqual({ hours: `hours above 0, at most ${MOST_REPLAY_HOURS}; given: ${hours || 'nothing'}` }),
  );

  it('may as many hours be as the API replays', () => {
    const { windowSeconds } = whatIfInputSchema.parse(asked({ hours: String(MOST_REPLAY_HOURS) }));
    expect([mistakes({ hours: String(MOST_REPLAY_HOURS) }), windowSeconds]).toEqual([{}, MOST_REPLAY_HOURS * 3600]);
    expect(whatIfInputSchema.parse(asked({ hours: '0.0001' })).windowSeconds).toBe(1);
  });
});

it('the form is in the address, but for what is as at first', () => {
  const form = filled({ hours: '2', policy: 'a & b', tpotMs: '20' });
  const address = (Object.keys(form) as FormField[]).reduce((query, field) => queryWith(query, addressWith(field, form[field])), '');
  expect(address).toBe('?hours=2&policy=a+%26+b&tpotMs=20');
  expect(formOf(new URLSearchParams(address))).toEqual(form);
  expect(queryWith(address, addressWith('hours', '1'))).toBe('?policy=a+%26+b&tpotMs=20');
  expect(formOf(new URLSearchParams('?hours=&tenant=x'))).toEqual(filled({ hours: '' }));
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
