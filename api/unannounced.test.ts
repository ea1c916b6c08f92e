import { expect, it } from 'vitest';
import { changesSince, type Seen } from './unannounced.ts';

const seen = (fields: Partial<Seen>): Seen => ({ readiness: 'ok', unreachable: '[]', draining: false, ...fields });

it.each([
  [{}, {}, []],
  [{}, { readiness: 'temporal is away' }, ['readiness']],
  [{ unreachable: '["a"]' }, {}, ['replicas']],
  [{}, { draining: true }, ['hosts']],
  [{ draining: true }, { draining: true }, ['hosts']],
  [{ draining: true }, {}, ['hosts']],
])('from %j to %j, %j changed', (before, now, changes) => {
  expect(changesSince(seen(before), seen(now))).toEqual(changes);
});
