import { EventEmitter } from 'node:events';
import { expect, it } from 'vitest';
import { listenForInterrupts } from './interrupts.ts';

it('takes the interrupt that npm forwards for the same one, and a later one for impatience', () => {
  const signals = new EventEmitter();
  let now = 0;
  const { end, hurry } = listenForInterrupts(signals, () => now);
  expect(end.aborted).toBe(false);
  signals.emit('SIGINT');
  now = 20;
  signals.emit('SIGINT');
  expect([end.aborted, hurry.aborted]).toEqual([true, false]);
  now = 2000;
  signals.emit('SIGINT');
  expect(hurry.aborted).toBe(true);
});
