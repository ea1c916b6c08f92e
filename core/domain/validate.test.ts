import { describe, expect, it } from 'vitest';
import { deploymentSpecSchema } from './deployment.ts';
import { UellmError } from './errors.ts';
import { hostSpecSchema } from './fleet.ts';
import { parseObject } from './objects.ts';
import { sloPolicySchema } from './slo-policy.ts';
import { parseInput } from './validate.ts';

const issuesOf = (work: () => unknown) => {
  try {
    work();
  } catch (error) {
    if (error instanceof UellmError && error.detail.kind === 'invalid-input') return error.detail.issues;
    throw error;
  }
  throw new Error('nothing was refused');
};

describe('bad input names the field, what was given and what is allowed', () => {
  const policy = { name: 'chat', targets: { ttftMs: 500 } };
  it.each([
    [
      'a negative target',
      sloPolicySchema,
      { ...policy, targets: { ttftMs: -5 } },
      { field: 'targets.ttftMs', given: '-5', allowed: 'a number above 0' },
    ],
    [
      'an unknown field',
      sloPolicySchema,
      { ...policy, nonsense: 1 },
      { field: 'nonsense', given: '1', allowed: 'no such field (unknown fields are refused)' },
    ],
    [
      'an unknown nested field',
      sloPolicySchema,
      { ...policy, queue: { maxWait: 5 } },
      { field: 'queue.maxWait', given: '5', allowed: 'no such field (unknown fields are refused)' },
    ],
    [
      'no target at all',
      sloPolicySchema,
      { name: 'x', targets: {} },
      { field: 'targets', given: '{}', allowed: 'at least one of ttftMs, tpotMs, e2eMs' },
    ],
    [
      'a wrong choice',
      sloPolicySchema,
      { ...policy, queue: { onHopeless: 'drop' } },
      { field: 'queue.onHopeless', given: '"drop"', allowed: 'one of "demote", "shed"' },
    ],
    [
      'a missing name',
      hostSpecSchema,
      { accelerators: [{ kind: 'L4', count: 1 }] },
      { field: 'name', given: 'nothing', allowed: 'a string' },
    ],
    [
      'a fraction of an accelerator',
      hostSpecSchema,
      { name: 'h', accelerators: [{ kind: 'L4', count: 1.5 }] },
      { field: 'accelerators[0].count', given: '1.5', allowed: 'a whole number' },
    ],
    [
      'no accelerators',
      hostSpecSchema,
      { name: 'h', accelerators: [] },
      { field: 'accelerators', given: '[]', allowed: 'a list with a length of at least 1' },
    ],
    [
      'falling canary weights',
      deploymentSpecSchema,
      { name: 'd', model: 'm', engine: { kind: 'vllm' }, rollout: { steps: [{ weight: 50 }, { weight: 5 }] } },
      { field: 'rollout.steps', given: '[{"weight":50},{"weight":5}]', allowed: 'steps whose weights rise' },
    ],
  ])('%s', (_, schema, input, issue) => {
    expect(issuesOf(() => parseInput(schema, input, 'it'))).toContainEqual(issue);
  });

  it('names every kind of accelerator that it knows', () => {
    const [issue] = issuesOf(() => parseInput(hostSpecSchema, { name: 'h', accelerators: [{ kind: 'H900', count: 1 }] }, 'it'));
    expect(issue).toMatchObject({ field: 'accelerators[0].kind', given: '"H900"' });
    expect(issue?.allowed).toContain('H100-SXM');
  });

  it('takes aliases of accelerators and gives their ids', () => {
    expect(parseInput(hostSpecSchema, { name: 'h', accelerators: [{ kind: 'h100_sxm', count: 8 }] }, 'it').accelerators[0]?.kind).toBe(
      'H100-SXM',
    );
  });

  it('names the kinds of objects', () => {
    expect(issuesOf(() => parseObject({ kind: 'Pod' }, 'document 1'))).toEqual([
      { field: 'kind', given: '"Pod"', allowed: 'one of Host, Model, SloPolicy, Tenant, Deployment' },
    ]);
    expect(issuesOf(() => parseObject(null, 'document 1'))).toHaveLength(1);
  });
});
