import { expect, it } from 'vitest';
import type { DiagnosisAnswer, ReplicaDiagnosisItem } from '../../../api/schema/index.ts';
import { bindsTone, loadShare, moreFor, moreText } from './diagnosis.ts';

const replica = (fields: object = {}) =>
  ({
    ...{ deployment: 'chat', acceleratorKind: 'L4', tensorParallel: 1, binds: 'bandwidth' },
    ...{ demand: { requestsPerSecond: 1 }, limit: { requestsPerSecond: 4 }, ...fields },
  }) as ReplicaDiagnosisItem;

it('a replica is as full as what is asked of it over what it can serve', () => {
  expect(loadShare(replica())).toBe(0.25);
  expect(loadShare(replica({ demand: null }))).toBeNull();
  expect([bindsTone(replica()), bindsTone(replica({ binds: 'idle' })), bindsTone(replica({ binds: 'queue' }))]).toEqual([
    'busy',
    'quiet',
    'warn',
  ]);
});

it('what more accelerators would bring is that of its own shape, the fewest first', () => {
  const option = (accelerators: number) => ({ accelerators });
  const shape = { deployment: 'chat', acceleratorKind: 'L4', tensorParallel: 1 };
  const answer = {
    advice: [
      { ...shape, tensorParallel: 2, options: [option(9)] },
      { ...shape, options: [option(2), option(-1), option(1)] },
    ],
  } as unknown as DiagnosisAnswer;
  expect(moreFor(answer, replica()).map((o) => o.accelerators)).toEqual([1, 2]);
  expect(moreFor(answer, replica({ deployment: 'code' }))).toEqual([]);
});

it.each([
  [{ change: 'add-replica', accelerators: 2, tensorParallel: 2 }, 'one more replica, +2'],
  [{ change: 'widen', accelerators: 2, tensorParallel: 4 }, 'on 4 instead, +2'],
])('%j is %s', (option, text) => expect(moreText(option as never)).toBe(text));
