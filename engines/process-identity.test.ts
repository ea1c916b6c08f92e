import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { describe, expect, it } from 'vitest';
import { isRunning, processStartTime, readProcessStat } from './process-identity.ts';

const linux = process.platform === 'linux';

describe('process identity', () => {
  it('is the same each time it is read, and ends with the process', async () => {
    const child = spawn(process.execPath, ['-e', 'setInterval(() => {}, 1000)']);
    const identity = { pid: child.pid!, startTime: processStartTime(child.pid!)! };
    expect(identity.startTime).toBe(processStartTime(child.pid!));
    expect(isRunning(identity)).toBe(true);
    child.kill('SIGKILL');
    await once(child, 'exit');
    expect(isRunning(identity)).toBe(false);
  });

  it('does not hold for another process under the same pid', () => {
    expect(isRunning({ pid: process.pid, startTime: 'another' })).toBe(false);
  });

  it('counts a zombie as gone', async (context) => {
    context.skip(!linux, 'needs /proc');
    // The shell becomes a program that never reaps the child it leaves behind.
    const parent = spawn('sh', ['-c', 'true & echo $!; exec sleep 60']);
    const [line] = (await once(parent.stdout, 'data')) as [Buffer];
    const pid = Number(line.toString());
    const deadline = Date.now() + 5000;
    while (processStartTime(pid) && Date.now() < deadline) await new Promise((resolve) => setTimeout(resolve, 10));
    expect(processStartTime(pid)).toBeNull();
    parent.kill('SIGKILL');
  });

  it('reads past a name with blanks and parentheses', async (context) => {
    context.skip(!linux, 'needs /proc');
    const child = spawn('sh', ['-c', 'printf "a) b (c" > /proc/self/comm; echo ok; read -r _'], { detached: true });
    await once(child.stdout, 'data');
    expect(readProcessStat(child.pid!)).toEqual({ startTime: expect.stringMatching(/^[0-9a-f-]{36}:\d+$/), group: child.pid });
    child.kill('SIGKILL');
  });
});
