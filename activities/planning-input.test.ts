import { describe, expect, it } from 'vitest';
import { sloPolicySchema } from '../core/domain/slo-policy.ts';
import { planningTargets } from './planning-input.ts';

const policy = (name: string, model: string, targets: object, priority = 0) =>
  sloPolicySchema.parse({ name, match: { model }, targets, priority });

describe('planningTargets', () => {
  it('is null where no policy promises this model anything', () => {
    expect(planningTargets([policy('a', 'other', { ttftMs: 1 })], 'm')).toBeNull();
  });

  it('takes the tightest of each latency and the highest attainment, leaving out what may be shed', () => {
    const policies = [
      policy('a', 'm', { ttftMs: 500, attainment: 0.99 }),
      policy('b', '*', { ttftMs: 2000, tpotMs: 80, attainment: 0.9 }),
      policy('c', 'm', { tpotMs: 10 }, -1),
    ];
    expect(planningTargets(policies, 'm')).toEqual({ ttftMs: 500, tpotMs: 80, e2eMs: undefined, attainment: 0.99 });
  });
});
