import { expect, it } from 'vitest';
import { watchedSilence } from './silence.ts';

const MINUTE = 60_000;
const afterLooks = (...sinceLastMs: number[]) => sinceLastMs.reduce((before, since) => watchedSilence(before, since, 18_000), 0);

it.each([
  ['looks one after the other add up', [17_000, 17_000, 17_000], 51_000],
  ['a look that fails at once proves little', [2000, 2000], 4000],
  ['a control plane that was away for five minutes has looked once', [17_000, 5 * MINUTE], 35_000],
  ['a clock that jumps, forwards or back, proves no more', [24 * 60 * MINUTE, -60 * MINUTE], 18_000],
])('%s', (_, sinceLastMs, silentMs) => expect(afterLooks(...sinceLastMs)).toBe(silentMs));

it('counts from when the host became suspect', () => {
  expect(watchedSilence(null, 60 * MINUTE, 18_000)).toBe(0);
});
