import { mkdtempSync, readdirSync, rmSync, utimesSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { lastLogLines, logName, newestLog, parseLogName, pruneLogs } from './log-files.ts';

let directory: string;
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'uellm-logs-'));
});
afterEach(() => rmSync(directory, { recursive: true }));

describe('engine logs', () => {
  it('tell by their names whose they are', () => {
    expect(parseLogName(logName('chat.g7-1', 12, 1700000000000))).toEqual({ replicaId: 'chat.g7-1', generation: 12 });
    expect(parseLogName(`${logName('chat-1', 2, 5)} (deleted)`)).toEqual({ replicaId: 'chat-1', generation: 2 });
    expect(parseLogName('worker.log')).toBeNull();
  });

  it('give their last lines', async () => {
    const file = join(directory, 'x.log');
    writeFileSync(file, Array.from({ length: 5000 }, (_, i) => `line ${i}`).join('\n'));
    expect(await lastLogLines(file, 2)).toEqual(['line 4998', 'line 4999']);
    expect(await lastLogLines(join(directory, 'none.log'))).toEqual([]);
  });

  it('are found by replica, the newest launch first', async () => {
    for (const [id, at] of [
      ['chat-1', 1000],
      ['chat-1', 999],
      ['chat-11', 5000],
    ] as const)
      writeFileSync(join(directory, logName(id, 1, at)), '');
    expect(await newestLog(directory, 'chat-1')).toBe(logName('chat-1', 1, 1000));
    expect(await newestLog(directory, 'chat')).toBeNull();
  });

  it('are kept up to a number, the latest and those in use', async () => {
    for (let i = 0; i < 6; i++) {
      writeFileSync(join(directory, `${i}.log`), '');
      utimesSync(join(directory, `${i}.log`), i, i);
    }
    await pruneLogs(directory, new Set([join(directory, '0.log')]), 2);
    expect(readdirSync(directory)).toEqual(['0.log', '4.log', '5.log']);
  });
});
