import { afterEach, expect, it } from 'vitest';
import { createThread, type Thread } from './thread.ts';

/** Says back what it is asked; throws, ends, or tells what it was given at its start. */
const SCRIPT = `
import { parentPort, workerData } from 'node:worker_threads';
parentPort.on('message', ({ id, question }) => {
  if (question === 'end') process.exit(3);
  else if (question === 'throw') parentPort.postMessage({ id, failure: new RangeError('too large') });
  else parentPort.postMessage({ id, answer: question === 'catalog' ? workerData.length : question });
});`;

let thread: Thread<string, string | number>;
const open = () => {
  thread = createThread(new URL(`data:text/javascript,${encodeURIComponent(SCRIPT)}`));
};
afterEach(() => thread.close());

it('answers each question by itself', async () => {
  open();
  expect(await Promise.all(['a', 'b', 'c'].map(thread.ask))).toEqual(['a', 'b', 'c']);
  expect(await thread.ask('catalog')).toBeGreaterThan(10);
});

it('throws what was thrown there, and goes on', async () => {
  open();
  await expect(thread.ask('throw')).rejects.toThrow(new RangeError('too large'));
  expect(await thread.ask('a')).toBe('a');
});

it('fails what a thread that ended was asked, and starts another', async () => {
  open();
  const [ended, behind] = await Promise.allSettled([thread.ask('end'), thread.ask('a')]);
  expect([ended.status, behind.status]).toEqual(['rejected', 'rejected']);
  expect(await thread.ask('a')).toBe('a');
});
