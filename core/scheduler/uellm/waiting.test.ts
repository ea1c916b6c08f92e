import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { queuedRequest } from '../../../test/support/scheduling.ts';
import { AGEING_FACTOR } from '../admission.ts';
import { Waiting, type WaitingItem } from './waiting.ts';

const item = (id: string, startByMs: number, arrivalMs = 0, maxWaitMs = 1000): WaitingItem<ReturnType<typeof queuedRequest>> => ({
  request: queuedRequest({ id, arrivalMs, queue: { maxWaitMs } }),
  dueMs: startByMs,
  startByMs,
  lengthBucket: 0,
  cost: 0,
  weight: 0,
});

describe('who waits', () => {
  it('is in order of when it has to start, equals as they came, whoever comes and goes', () => {
    const step = fc.record({
      startByMs: fc.integer({ min: 0, max: 9 }),
      does: fc.constantFrom('add', 'add', 'demote', 'delete'),
      at: fc.nat(),
    });
    fc.assert(
      fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
        const waiting = new Waiting();
        let urgent: WaitingItem<ReturnType<typeof queuedRequest>>[] = [];
        const demoted = new Set<ReturnType<typeof queuedRequest>>();
        for (const [i, { startByMs, does, at }] of steps.entries()) {
          const chosen = urgent[at % Math.max(1, urgent.length)];
          if (does === 'add') {
            const added = item(String(i).padStart(3, '0'), startByMs, i);
            waiting.add(added);
            urgent = [...urgent, added].sort((a, b) => a.startByMs - b.startByMs);
          } else if (chosen) {
            if (does === 'demote') demoted.add(chosen.request);
            if (does === 'demote') waiting.demote(chosen);
            else expect(waiting.delete(chosen.request)).toBe(true);
            urgent = urgent.filter((other) => other !== chosen);
          }
          expect(waiting.urgent).toEqual(urgent);
          expect(waiting.size).toBe(urgent.length + demoted.size);
          expect(waiting.background()).toBe([...demoted].sort((a, b) => a.arrivalMs - b.arrivalMs)[0]);
        }
      }),
    );
  });
  it('has aged when it was demoted and has waited so many times too long', () => {
    const waiting = new Waiting();
    const [first, second] = [item('first', 10), item('second', 10, 500)];
    waiting.add(first);
    waiting.add(second);
    expect(waiting.aged(1e6)).toBeUndefined();
    waiting.demote(second);
    waiting.demote(first);
    expect(waiting.aged(AGEING_FACTOR * 1000)).toBeUndefined();
    expect(waiting.aged(AGEING_FACTOR * 1000 + 1)).toBe(first.request);
    expect(waiting.delete(first.request)).toBe(true);
    expect(waiting.aged(AGEING_FACTOR * 1000 + 1)).toBeUndefined();
    expect([waiting.delete(first.request), waiting.size]).toEqual([false, 1]);
  });
  it('ages by what each may wait: one that may wait for long does not hold back those behind it that may not', () => {
    const waiting = new Waiting();
    const [patient, impatient] = [item('patient', 10, 0, 60_000), item('impatient', 10, 5, 1000)];
    for (const one of [patient, impatient]) {
      waiting.add(one);
      waiting.demote(one);
    }
    expect(waiting.background()).toBe(patient.request);
    expect(waiting.aged(AGEING_FACTOR * 1000 + 5)).toBeUndefined();
    expect(waiting.aged(AGEING_FACTOR * 1000 + 6)).toBe(impatient.request);
    waiting.delete(impatient.request);
    expect(waiting.aged(AGEING_FACTOR * 1000 + 6)).toBeUndefined();
    expect(waiting.aged(AGEING_FACTOR * 60_000 + 1)).toBe(patient.request);
  });
});
