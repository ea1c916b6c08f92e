import { describe, expect, it } from 'vitest';
import type { Problem } from '../../../api/schema/index.ts';
import { keyIssuesOf } from './keys.ts';

const problem = (...fields: string[]): Problem => ({
  ...{ type: 'about:blank', title: 'no', status: 422, detail: 'the request body is not valid', instance: '/' },
  issues: fields.map((field, i) => ({ field, given: '"x"', allowed: `allowed ${i}` })),
});

describe('what is wrong with a new key', () => {
  it('stands at its field, the first for each', () => {
    expect(keyIssuesOf(problem('tenant', 'name', 'name'))).toEqual({ tenant: 'allowed 0', name: 'allowed 1' });
  });

  it('is for the whole page where no field has it', () => {
    expect(keyIssuesOf(problem('tenant', 'role'))).toBeNull();
    expect(keyIssuesOf({ ...problem(), status: 403 })).toBeNull();
  });
});
