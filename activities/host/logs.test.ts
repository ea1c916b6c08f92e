import { expect, it } from 'vitest';
import { createLogActivities } from './logs.ts';

const engines = { log: async (id: string, lines: number) => ({ source: `${id}.log`, lines: [`${lines} lines of ${id}`] }) };
const logs = (lines: string[]) => createLogActivities({ engines: engines as never, workerLog: () => lines });

it("reads a replica's log, or the worker's own", async () => {
  expect(await logs([]).readLog('chat-1', 5)).toEqual({ source: 'chat-1.log', lines: ['5 lines of chat-1'] });
  expect(await logs(['a', 'b', 'c']).readLog(null, 2)).toEqual({ source: 'host worker', lines: ['b', 'c'] });
});

it('answers with no more than Temporal takes, the newest lines', async () => {
  const line = (i: number) => `${i} ${'x'.repeat(10_000)}`;
  const { lines } = await logs(Array.from({ length: 100 }, (_, i) => line(i))).readLog(null, 100);
  expect(lines.at(-1)).toBe(line(99));
  expect(lines).toHaveLength(19);
});
