import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { isLocked, tryLock, withLock } from './file-lock.ts';
import { processStartTime } from './process-identity.ts';

let directory: string;
let file: string;
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'uellm-lock-'));
  file = join(directory, 'demo-1');
});
afterEach(() => rmSync(directory, { recursive: true }));

describe('file lock', () => {
  it('is held by one at a time', async () => {
    let inside = 0;
    let most = 0;
    const work = async () => {
      inside += 1;
      most = Math.max(most, inside);
      await new Promise((resolve) => setTimeout(resolve, 5));
      inside -= 1;
    };
    await Promise.all(Array.from({ length: 10 }, () => withLock(file, work)));
    expect(most).toBe(1);
    expect(readdirSync(directory)).toEqual([]);
  });

  it('is freed when the work fails', async () => {
    await expect(withLock(file, () => Promise.reject(new Error('no')))).rejects.toThrow('no');
    expect(await isLocked(file)).toBe(false);
  });

  it('is broken when its holder has died, by exactly one of those who want it', async () => {
    const holder = spawn(process.execPath, ['-e', 'setInterval(() => {}, 1000)']);
    writeFileSync(file, JSON.stringify({ pid: holder.pid, startTime: processStartTime(holder.pid!), taken: 1 }));
    expect(await tryLock(file)).toBeNull();
    expect(await isLocked(file)).toBe(true);
    holder.kill('SIGKILL');
    await once(holder, 'exit');
    const taken = await Promise.all(Array.from({ length: 10 }, () => tryLock(file)));
    expect(taken.filter((release) => release !== null).length).toBeLessThanOrEqual(1);
    await taken.find((release) => release !== null)?.();
    await withLock(file, async () => undefined);
    expect(readdirSync(directory)).toEqual([]);
  });

  it('survives what a power cut leaves: an empty lock, and one that was being broken', async () => {
    writeFileSync(file, '');
    writeFileSync(`${file}.breaking`, '');
    await withLock(file, async () => undefined, { waitSeconds: 2 });
    expect(readdirSync(directory)).toEqual([]);
  });

  it('is waited for until the time is up, or the waiting is given up', async () => {
    const release = (await tryLock(file))!;
    let waited = 0;
    const onWait = () => {
      waited += 1;
    };
    await expect(withLock(file, async () => undefined, { waitSeconds: 0.1, onWait })).rejects.toThrow(/holds it for more than 0.1 s/);
    await expect(withLock(file, async () => undefined, { signal: AbortSignal.timeout(50) })).rejects.toThrow(/timeout/i);
    expect(waited).toBeGreaterThan(0);
    await release();
  });
});
