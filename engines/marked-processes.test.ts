import { type ChildProcess, spawn } from 'node:child_process';
import { afterEach, describe, expect, it } from 'vitest';
import { findMarkedProcesses, markEnvironment, noteLaunch } from './marked-processes.ts';

const children: ChildProcess[] = [];
afterEach(() => {
  for (const child of children.splice(0)) child.kill('SIGKILL');
});

/** An engine of a host, as far as its marks go. */
async function startMarked(host: string, replicaId: string): Promise<number> {
  const env = { ...process.env, ...markEnvironment(`/hosts/${host}`, { replicaId, generation: 3 }) };
  const child = spawn('sleep', ['60'], { env, detached: true, stdio: 'ignore' });
  children.push(child);
  await new Promise((resolve) => child.once('spawn', resolve));
  return child.pid!;
}
const find = (host: string, options = {}) => findMarkedProcesses(`/hosts/${host}`, `/hosts/${host}/logs`, options);

describe.runIf(process.platform === 'linux')('marked processes', () => {
  it('are told apart by their host, also where several ask at once', async () => {
    const pids = [await startMarked('a', 'r1'), await startMarked('b', 'r2')];
    const found = await Promise.all(['a', 'b', 'a', 'c'].map((host) => find(host)));
    expect(found[0]).toMatchObject([{ pid: pids[0], replicaId: 'r1', generation: 3, leader: true }]);
    expect(found[1]).toMatchObject([{ pid: pids[1], replicaId: 'r2' }]);
    expect(found.slice(2)).toEqual([found[0], []]);
  });

  it('are found by whoever asks after their launch, though a look is under way', async () => {
    const looking = find('a');
    await startMarked('a', 'r1');
    expect(await find('a')).toHaveLength(1);
    await looking;
  });

  it('may be those of an earlier look, for whoever says so, until an engine is launched', async () => {
    await find('b');
    await startMarked('a', 'r1');
    expect(await find('a', { atMostOldMs: 60_000 })).toEqual([]);
    noteLaunch();
    expect(await find('a', { atMostOldMs: 60_000 })).toHaveLength(1);
  });
});
