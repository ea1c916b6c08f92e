import { describe, expect, it } from 'vitest';
import { queuedRequest } from '../../test/support/scheduling.ts';
import { admission, admissionInTurn, standing } from './admission.ts';

describe('admission', () => {
  const queue = new Set([
    queuedRequest({ id: 'urgent', priority: 100 }),
    queuedRequest({ id: 'old-batch', priority: -10, arrivalMs: 1 }),
    queuedRequest({ id: 'new-batch', priority: -10, arrivalMs: 2 }),
  ]);

  it('admits while there is room', () => {
    expect(admission(queue, queuedRequest({ id: 'x' }), 4)).toEqual({ verdict: 'admit', instead: null });
  });
  it('puts the youngest of the least urgent sheddable requests out for a more urgent one', () => {
    expect(admission(queue, queuedRequest({ id: 'x', priority: 0 }), 3)).toMatchObject({ verdict: 'admit', instead: { id: 'new-batch' } });
  });
  it('never puts out what may not be shed, nor an equal', () => {
    expect(admission(queue, queuedRequest({ id: 'x', priority: -10 }), 3).verdict).toBe('full');
    expect(admission(new Set([queuedRequest({ id: 'a' })]), queuedRequest({ id: 'x', priority: 100 }), 1).verdict).toBe('full');
  });
  it('in turn puts nobody out', () => {
    expect(admissionInTurn(queue, 4)).toEqual({ verdict: 'admit', instead: null });
    expect(admissionInTurn(queue, 3)).toEqual({ verdict: 'full' });
  });
});

describe('a queue that a tenant has filled', () => {
  const flood = (count: number, parts: object = {}) =>
    Array.from({ length: count }, (_, i) => queuedRequest({ id: `flood-${i}`, tenant: 'flood', arrivalMs: i, ...parts }));
  const small = (parts: object = {}) => queuedRequest({ id: 'x', tenant: 'small', ...parts });

  it('takes others in the place of its youngest, and no more of its own', () => {
    const queue = new Set(flood(4));
    expect(admission(queue, small(), 4)).toMatchObject({ verdict: 'admit', instead: { id: 'flood-3' } });
    expect(admission(queue, queuedRequest({ id: 'x', tenant: 'flood' }), 4).verdict).toBe('full');
  });
  it('takes them in the place of its youngest, wherever that stands: what a replica has failed stands at the end', () => {
    const [oldest, ...others] = flood(4);
    expect(admission(new Set([...others, oldest!]), small(), 4)).toMatchObject({ instead: { id: 'flood-3' } });
  });
  it('is shared by weights', () => {
    const queue = new Set([...flood(3, { tenantWeight: 3 }), small()]);
    expect(admission(queue, small(), 4).verdict).toBe('full');
    expect(admission(new Set([...flood(2), small({ tenantWeight: 3 })]), small({ tenantWeight: 3 }), 3)).toMatchObject({
      instead: { id: 'flood-1' },
    });
  });
  it('keeps what is more urgent than the newcomer', () => {
    expect(admission(new Set(flood(4, { priority: 1 })), small(), 4).verdict).toBe('full');
  });
});

describe('standing', () => {
  const demotable = queuedRequest({ id: 'a', queue: { maxWaitMs: 1000 } });
  it('demotes after the longest wait, and ages a demoted request to the front', () => {
    expect(standing(demotable, 1000, true)).toBe('in-time');
    expect(standing(demotable, 1001, true)).toBe('demoted');
    expect(standing(demotable, 4000, true)).toBe('demoted');
    expect(standing(demotable, 4001, true)).toBe('aged');
  });
  it('sheds what its policy or a priority below 0 allows to shed', () => {
    expect(standing(queuedRequest({ id: 'a', queue: { maxWaitMs: 1000, onHopeless: 'shed' } }), 1001, true)).toBe('shed');
    expect(standing(queuedRequest({ id: 'a', priority: -1, queue: { maxWaitMs: 1000 } }), 1001, true)).toBe('shed');
  });
  it('gives a request back when there is no replica to wait for any longer', () => {
    expect(standing(demotable, 1000, false)).toBe('in-time');
    expect(standing(demotable, 1001, false)).toBe('unavailable');
  });
});
