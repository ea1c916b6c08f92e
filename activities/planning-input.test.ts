import { describe, expect, it } from 'vitest';
import type { DeploymentSpec } from '../core/domain/deployment.ts';
import { sloPolicySchema } from '../core/domain/slo-policy.ts';
import { keptApart, planningTargets } from './planning-input.ts';

const policy = (name: string, model: string, targets: object, priority = 0) =>
  sloPolicySchema.parse({ name, match: { model }, targets, priority });

describe('keptApart', () => {
  const of = (name: string, antiAffinity?: string[]) =>
    ({
      name,
      placement: { hosts: [], accelerators: [], spread: 'host', ...(antiAffinity ? { antiAffinity } : {}) },
    }) as unknown as DeploymentSpec;

  it('adds those that keep away from it, of whatever it is planned beside', () => {
    const declared = [of('loner', ['chat', 'loner']), of('other', ['loner']), of('chat', ['gone'])];
    expect(keptApart(of('chat', ['batch']), declared).placement.antiAffinity).toEqual(['batch', 'loner']);
    expect(keptApart(of('loner', ['chat', 'loner']), declared).placement.antiAffinity).toEqual(['chat', 'loner', 'other']);
    expect(keptApart(of('free'), declared)).toEqual(of('free'));
  });
});

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
