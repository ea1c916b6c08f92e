import { expect, it } from 'vitest';
import { createSharedRuns } from './shared-runs.ts';

/** Runs that end when they are told to. */
function manual() {
  const begun: { answer: (value: string) => void; fail: (error: Error) => void }[] = [];
  const run = () => new Promise<string>((answer, fail) => begun.push({ answer, fail }));
  return { begun, run };
}
const settled = () => new Promise((resolve) => setTimeout(resolve));

it('gives all who ask during a run the one after it', async () => {
  const { begun, run } = manual();
  const ask = createSharedRuns<string>();
  const first = ask('a', run);
  const later = [ask('a', run), ask('a', run)];
  expect(begun).toHaveLength(1);
  begun[0]!.answer('one');
  expect(await first).toBe('one');
  await settled();
  expect(begun).toHaveLength(2);
  const last = ask('a', run);
  begun[1]!.answer('two');
  expect(await Promise.all(later)).toEqual(['two', 'two']);
  await settled();
  begun[2]!.answer('three');
  expect([await last, begun.length]).toEqual(['three', 3]);
  await settled();
  void ask('a', run);
  expect(begun).toHaveLength(4);
});

it('keeps questions of another kind apart', () => {
  const { begun, run } = manual();
  const ask = createSharedRuns<string>();
  void ask('a', run);
  void ask('b', run);
  expect(begun).toHaveLength(2);
});

it('tells a failure to those who waited for that run, and to nobody else', async () => {
  const { begun, run } = manual();
  const ask = createSharedRuns<string>();
  const [first, second] = [ask('a', run), ask('a', run)];
  begun[0]!.fail(new Error('away'));
  await expect(first).rejects.toThrow('away');
  await settled();
  begun[1]!.answer('back');
  expect(await second).toBe('back');
});
