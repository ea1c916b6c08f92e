import { describe, expect, it } from 'vitest';
import { deploymentSpecSchema } from './deployment.ts';
import { ROLLOUT_STAGES, stageDeadlineSeconds, stagesOf } from './rollout.ts';

const parse = (rollout: Record<string, unknown>) =>
  deploymentSpecSchema.safeParse({ name: 'chat', model: 'm', engine: { kind: 'simulated' }, rollout });
const rolloutOf = (rollout: Record<string, unknown>) =>
  deploymentSpecSchema.parse({ name: 'chat', model: 'm', engine: { kind: 'triton' }, rollout }).rollout;

describe('a rollout’s spec', () => {
  it.each([
    [{ strategy: 'blue-green', steps: [{ weight: 5 }] }, 'rollout.steps', /only strategy canary/],
    [{ strategy: 'recreate', steps: [{ weight: 5 }] }, 'rollout.steps', /only strategy canary/],
    [{ strategy: 'canary', soakSeconds: 5 }, 'rollout.soakSeconds', /only strategies blue-green and reload/],
    [{ strategy: 'reload' }, 'rollout.strategy', /only engines of kind triton/],
    [{ stageDeadlineSeconds: { fetch: 0 } }, 'rollout.stageDeadlineSeconds.fetch', /0/],
    [{ stageDeadlineSeconds: { record: 5 } }, 'rollout.stageDeadlineSeconds', /record/],
  ])('%j is refused at %s', (rollout, path, message) => {
    expect(parse(rollout).error?.issues.map((i) => [i.path.join('.'), i.message])).toEqual([[path, expect.stringMatching(message)]]);
  });
});

describe('a stage’s deadline', () => {
  it.each([
    ['plan', {}, 600],
    ['plan', { stageDeadlineSeconds: { plan: 5 } }, 5],
    ['canary', { steps: [{ weight: 5, pauseSeconds: 100 }] }, 800],
    ['canary', { steps: [{ weight: 5, pauseSeconds: 100 }], stageDeadlineSeconds: { canary: 300 } }, 300],
    ['promote', { strategy: 'blue-green', soakSeconds: 10 }, 620],
    ['promote', {}, 600],
    ['canary', { strategy: 'reload', soakSeconds: 10 }, 1820],
    ['approve', {}, undefined],
    ['approve', { stageDeadlineSeconds: { approve: 60 } }, 60],
    ['record', {}, undefined],
  ] as const)('%s of %j: %s', (stage, rollout, seconds) => {
    expect(stageDeadlineSeconds(stage, rolloutOf(rollout))).toBe(seconds);
  });
});

describe('the stages', () => {
  it('of recreate ask before anything leaves', () => {
    const stages = stagesOf('recreate');
    expect(stages.indexOf('approve')).toBeLessThan(stages.indexOf('retire'));
    expect(stages.indexOf('retire')).toBeLessThan(stages.indexOf('reserve'));
    expect(new Set(stages)).toEqual(new Set(ROLLOUT_STAGES.filter((s) => s !== 'canary')));
  });
});
