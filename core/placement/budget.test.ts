import { describe, expect, it } from 'vitest';
import type { PlaceMove, RetireMove } from '../domain/plan.ts';
import type { Replica, ReplicaMove } from '../domain/replica.ts';
import { holdToBudget, mayLeave, mayMove } from './budget.ts';

it.each([
  { serving: 3, needed: 3, min: 1, maxUnavailable: 1, free: 1, why: 'one of the needed may be away' },
  { serving: 3, needed: 3, min: 3, maxUnavailable: 1, free: 0, why: 'the minimum holds whatever the budget' },
  { serving: 3, needed: 1, min: 1, maxUnavailable: 0, free: 2, why: 'what is not needed may leave' },
  { serving: 2, needed: 3, min: 1, maxUnavailable: 1, free: 0, why: 'one is away already' },
  { serving: 1, needed: 4, min: 1, maxUnavailable: 1, free: 0, why: 'never less than none' },
  { serving: 2, needed: 0, min: 0, maxUnavailable: 0, free: 2, why: 'nothing is asked of it' },
])('$free of $serving may leave: $why', ({ free, why: _, ...count }) => {
  expect(mayLeave(count)).toBe(free);
});

const moving = (id: string, leaves = true): ReplicaMove => ({ id, planId: 'p', leaves });
const replica = (id: string, more: Partial<Pick<Replica, 'state' | 'move'>> = {}) => ({ id, state: 'ready' as const, move: null, ...more });
const place = (replicaId: string, replaces?: string, deployment = 'chat') =>
  ({ kind: 'place', replicaId, deployment, ...(replaces && { replaces }) }) as PlaceMove;
const retire = (replicaId: string, after?: string[]): RetireMove => ({
  ...{ kind: 'retire', replicaId, deployment: 'chat', host: 'h', reason: '' },
  ...(after && { after }),
});

it.each([
  { replicas: [replica('a')], free: 2, why: 'nothing moves' },
  { replicas: [replica('a', { move: moving('a') }), replica('n', { move: moving('a', false) })], free: 1, why: 'both ends are one move' },
  { replicas: [replica('a', { move: moving('a') }), replica('b', { move: moving('b') })], free: 0, why: 'two are moving' },
  { replicas: [replica('a', { state: 'stopped', move: moving('a') })], free: 2, why: 'what has ended moves no more' },
  { replicas: ['a', 'b', 'c'].map((id) => replica(id, { move: moving(id) })), free: 0, why: 'never less than none' },
])('$free more of 2 may move: $why', ({ replicas, free }) => {
  expect(mayMove(replicas, 2)).toBe(free);
});

describe('holdToBudget', () => {
  const present = ['a', 'b', 'c'].map((id) => replica(id));
  const kept = (...args: Parameters<typeof holdToBudget>) => holdToBudget(...args).kept.map((m) => m.replicaId);

  it('lets as many moves through as are left, and says what the others wait for', () => {
    const { kept, trimmed } = holdToBudget([place('n1', 'a'), retire('b'), place('n3', 'c')], present, { maxMoving: 2 });
    expect(kept.map((m) => m.replicaId)).toEqual(['n1', 'b']);
    expect(trimmed).toMatchObject([
      {
        refusal: {
          kind: 'waiting',
          on: 'disruption-budget',
          subject: 'n3',
          message: expect.stringContaining('2 replicas may move at once'),
        },
      },
    ]);
  });

  it('counts what others move', () => {
    const others = [...present, replica('x', { move: moving('x') })];
    expect(kept([place('n1', 'a'), place('n2', 'b')], others, { maxMoving: 2 })).toEqual(['n1']);
  });

  it('takes nothing for what leaves and does not serve', () => {
    expect(kept([retire('a')], [replica('a', { state: 'unroutable' })], { maxMoving: 0 })).toEqual(['a']);
  });

  it('leaves to another plan what that plan moves', () => {
    const { trimmed } = holdToBudget([place('n1', 'a')], [replica('a', { move: moving('a') })], { maxMoving: 9 });
    expect(trimmed).toMatchObject([{ refusal: { on: 'disruption-budget', message: 'a is being moved already' } }]);
  });

  it('lets nothing through that was planned on figures which another plan has changed', () => {
    expect(kept([place('n1', 'a'), place('m1', undefined, 'other')], present, { maxMoving: 9, changed: new Set(['chat']) })).toEqual([
      'm1',
    ]);
  });

  it('lets one go for several that come only with all of them', () => {
    const moves = [place('n1'), place('n2'), retire('a', ['n1', 'n2'])];
    expect(kept(moves, present, { maxMoving: 2 })).toEqual(['n1', 'n2', 'a']);
    expect(kept(moves, present, { maxMoving: 1 })).toEqual(['n1']);
  });
});
