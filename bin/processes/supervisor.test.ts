import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { isRunning, processStartTime } from '../../engines/process-identity.ts';
import { endProcess, launch, type ProcessSpec, waitUntilReady } from './launch.ts';
import { claimPidFile, readPidFile } from './pid-file.ts';
import { createSupervisor, endLeftovers } from './supervisor.ts';

const never = new AbortController().signal;
let directory: string;
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'uellm-processes-'));
});
afterEach(() => rmSync(directory, { recursive: true, force: true }));

/** A process that writes to its log once it "serves", and ends politely or not. */
function specOf(name: string, script: string, overrides: Partial<ProcessSpec> = {}): ProcessSpec {
  const logFile = join(directory, `${name}.log`);
  return {
    name,
    command: process.execPath,
    args: ['-e', `${script}; console.log('up ' + process.pid); setInterval(() => {}, 1000)`],
    env: process.env,
    logFile,
    stopSignal: 'SIGTERM',
    stopGraceSeconds: 5,
    readyWithinSeconds: 10,
    ready: async () => pidsIn(name).some((pid) => processStartTime(pid) !== null),
    ...overrides,
  };
}

const pidsIn = (name: string) => [...readFileSync(join(directory, `${name}.log`), 'utf8').matchAll(/up (\d+)/g)].map((m) => Number(m[1]));

describe('the supervisor', () => {
  it('starts a process in a group of its own, starts it again when it is killed, and ends it', async () => {
    const events: string[] = [];
    const supervisor = createSupervisor({ runDir: directory, onEvent: (e) => events.push(e), signal: never });
    await supervisor.start(specOf('worker', ''));
    const [first] = pidsIn('worker');
    expect(readPidFile(join(directory, 'worker.pid'))?.pid).toBe(first);

    process.kill(first!, 'SIGKILL');
    await vi.waitFor(() => expect(events.at(-1)).toBe('worker is back'), { timeout: 10_000 });
    expect(events[0]).toContain('worker ended (SIGKILL) and is started again');
    expect(supervisor.states()).toEqual({ worker: 'running' });

    await supervisor.stop('worker');
    expect(pidsIn('worker').map((pid) => processStartTime(pid))).toEqual([null, null]);
    expect(existsSync(join(directory, 'worker.pid'))).toBe(false);
    expect(supervisor.states()).toEqual({});
  });

  it('says why a process did not start, with the end of its log', async () => {
    const supervisor = createSupervisor({ runDir: directory, onEvent: () => {}, signal: never });
    await expect(supervisor.start(specOf('broken', "console.error('no such disk'); process.exit(3)"))).rejects.toThrow(
      /broken ended while it started \(exit code 3\).*no such disk/,
    );
    await expect(supervisor.start(specOf('absent', '', { command: '/no/such/command' }))).rejects.toThrow('absent cannot be started');
  });

  it('kills what does not end politely, at once when hurried', async () => {
    const supervisor = createSupervisor({ runDir: directory, onEvent: () => {}, signal: never });
    await supervisor.start(specOf('stubborn', "process.on('SIGTERM', () => {})", { stopGraceSeconds: 30 }));
    const hurry = new AbortController();
    const stopped = supervisor.stop('stubborn', hurry.signal);
    await delay(50);
    hurry.abort();
    await stopped;
    expect(processStartTime(pidsIn('stubborn')[0]!)).toBeNull();
  });

  it('gives up a start when told, and starts nothing after', async () => {
    const end = new AbortController();
    const supervisor = createSupervisor({ runDir: directory, onEvent: () => {}, signal: end.signal });
    const starting = supervisor.start(specOf('slow', '', { ready: async () => false }));
    await vi.waitFor(() => expect(pidsIn('slow')).toHaveLength(1), { timeout: 5000 });
    end.abort(new Error('Ctrl-C'));
    await expect(starting).rejects.toThrow('Ctrl-C');
    await expect(supervisor.start(specOf('later', ''))).rejects.toThrow('Ctrl-C');
    await supervisor.stop('slow');
    expect(processStartTime(pidsIn('slow')[0]!)).toBeNull();
  });

  it('stops a process that is being started again', async () => {
    const supervisor = createSupervisor({ runDir: directory, onEvent: () => {}, signal: never });
    const spec = specOf('flapping', '');
    await supervisor.start(spec);
    spec.ready = async () => false;
    process.kill(pidsIn('flapping')[0]!, 'SIGKILL');
    await vi.waitFor(() => expect(pidsIn('flapping')).toHaveLength(2), { timeout: 5000 });
    await supervisor.stop('flapping');
    expect(processStartTime(pidsIn('flapping')[1]!)).toBeNull();
  });

  it('ends what a crashed supervisor left behind, but never a process that only has its pid', async () => {
    const left = await launch(specOf('left', ''));
    await waitUntilReady(left);
    writeFileSync(join(directory, 'left.pid'), JSON.stringify({ ...left, spec: undefined, stopSignal: 'SIGTERM' }));
    writeFileSync(join(directory, 'reused.pid'), JSON.stringify({ pid: process.pid, startTime: 'another', stopSignal: 'SIGKILL' }));
    writeFileSync(join(directory, 'cut-short.pid'), '{"pi');
    expect(await endLeftovers(directory)).toEqual(['left']);
    expect(isRunning(left)).toBe(false);
  });
});

describe('a place that one process may hold', () => {
  const self = { pid: process.pid, startTime: processStartTime(process.pid)!, stopSignal: 'SIGTERM' } as const;

  it('is refused while its holder runs, and taken over when the holder is gone', async () => {
    const file = join(directory, 'up.lock');
    const other = await launch(specOf('other', ''));
    claimPidFile(file, { pid: other.pid, startTime: other.startTime, stopSignal: 'SIGTERM' });
    expect(claimPidFile(file, self)).toMatchObject({ holder: { pid: other.pid } });
    await endProcess(other, { signal: 'SIGKILL', graceSeconds: 1 });
    const claim = claimPidFile(file, self);
    if ('holder' in claim) throw new Error('it is still held');
    claim.release();
    expect(existsSync(file)).toBe(false);
  });

  it('leaves no folder behind that held nothing else', () => {
    const folder = join(directory, 'run');
    const claim = claimPidFile(join(folder, 'up.lock'), self);
    if ('holder' in claim) throw new Error('nobody can hold it');
    claim.release();
    expect(existsSync(folder)).toBe(false);
  });
});
