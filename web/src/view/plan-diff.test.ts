import { expect, it } from 'vitest';
import { costText, planChoice, shapeText } from './plan-diff.ts';

it('says what a replica stands on', () => {
  const placed = {
    replicaId: 'a',
    deployment: 'chat',
    revision: 3,
    host: 'h1',
    accelerators: [0, 1],
    acceleratorKind: 'L4',
    tensorParallel: 2,
  };
  expect(shapeText(placed)).toBe('2 × L4, revision 3');
});

it.each([
  [5.9, 7.49, '$5.90/h → $7.49/h, $1.59 more an hour'],
  [2, 1, '$2.00/h → $1.00/h, $1.00 less an hour'],
  [1.1, 1.1, '$1.10/h, as before'],
  [null, 1, 'price unknown → $1.00/h'],
])('money from %s to %s is %s', (before, after, text) => {
  expect(costText({ before, after })).toBe(text);
});

it('keeps choices short', () => {
  const report = { summary: 'x'.repeat(200) } as never;
  expect(planChoice({ createdAt: '2026-01-01T00:00:00Z', state: 'applied', report })).toHaveLength(70);
});
