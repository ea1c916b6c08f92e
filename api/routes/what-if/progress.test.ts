import { Hono } from 'hono';
import { expect, it, vi } from 'vitest';
import { countArrivals, newReplayWatch } from '../../../core/simulator/replay-watch.ts';
import type { ApiEnv } from '../../context.ts';
import type { WhatIf } from '../../schema/index.ts';
import { streamReplay } from './progress.ts';

const streamed = (answer: Promise<WhatIf>, onFailure = vi.fn()) => {
  const watch = newReplayWatch();
  const app = new Hono<ApiEnv>().get('/', (c) => streamReplay(c, { watch, arrivals: 10, answer }, onFailure));
  return { watch, onFailure, response: app.request('/') };
};

it('ends the replay of whoever leaves', async () => {
  const { watch, onFailure, response } = streamed(new Promise(() => undefined));
  const reader = (await response).body!.getReader();
  expect(new TextDecoder().decode((await reader.read()).value)).toBe('event: progress\ndata: {"arrived":0,"of":10}\n\n');
  countArrivals(watch)();
  await reader.cancel();
  expect(countArrivals(watch)).toThrow('nobody waits');
  expect(onFailure).not.toHaveBeenCalled();
});

it('says what went wrong as a problem', async () => {
  const failing = Promise.reject(new Error('no memory'));
  const { onFailure, response } = streamed(failing);
  expect(await (await response).text()).toMatch(/event: problem\ndata: \{"type":"urn:uellm:problem:internal",.*"status":500/);
  expect(onFailure).toHaveBeenCalledWith(expect.objectContaining({ message: 'no memory' }));
});
