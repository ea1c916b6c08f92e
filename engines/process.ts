/**
 * Processes that outlive the one that started them: each leads a process group of its own, writes to a log file, and is known by pid and
 * start time, so that a successor can adopt it.
 */
import { spawn } from 'node:child_process';
import { closeSync, mkdirSync, openSync } from 'node:fs';
import { dirname } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { allPids, isRunning, type ProcessIdentity, processStartTime, readProcessStat } from './process-identity.ts';

export interface ProcessExit {
  code: number | null;
  signal: NodeJS.Signals | null;
}

export interface DetachedProcess {
  identity: ProcessIdentity;
  /** How it ended: known to the process that started it only, not to one that adopted it. */
  exited: Promise<ProcessExit>;
}

/** Between two looks at a process that is ending. */
const LOOK_EVERY_MS = 100;
/** What a leader leaves behind in its group may end by itself for so long. */
const LEFTOVERS_MS = 3000;

/**
 * Starts a command as the leader of a new process group, its output appended to `logFile`.
 * @param env the whole environment
 * @throws what the system says where the command cannot be run at all (ENOENT, EACCES)
 */
export async function launchDetached(spec: {
  command: string;
  args: string[];
  env: NodeJS.ProcessEnv;
  logFile: string;
}): Promise<DetachedProcess> {
  mkdirSync(dirname(spec.logFile), { recursive: true });
  const log = openSync(spec.logFile, 'a');
  try {
    const child = spawn(spec.command, spec.args, { detached: true, stdio: ['ignore', log, log], env: spec.env });
    // Read in the same tick: a process that ends at once cannot be reaped before.
    const startTime = (child.pid && processStartTime(child.pid)) || 'ended at once';
    const exited = new Promise<ProcessExit>((resolve) => child.once('exit', (code, signal) => resolve({ code, signal })));
    await new Promise<void>((resolve, reject) => {
      child.once('spawn', resolve);
      child.once('error', reject);
    });
    child.unref();
    return { identity: { pid: child.pid!, startTime }, exited };
  } finally {
    closeSync(log);
  }
}

/**
 * Ends a process: TERM to it alone, KILL to its whole group when it has not gone by the deadline. Only the leader is asked, since it is
 * the leader that finishes what runs: vLLM's workers end in the middle of a stream when they get a TERM of their own. What the leader
 * leaves behind in its group is killed. Returns once all are gone.
 * @param options.asked someone has sent the TERM before; some engines take a second one as an order to drop everything
 * @param options.onLook awaited while waiting; it should take no longer than a second
 * @param options.signal ends the waiting, not the ending: rejects with the signal's reason
 */
export async function endProcess(
  leader: ProcessIdentity,
  options: { deadlineMs: number; asked?: boolean; signal?: AbortSignal | undefined; onLook?: () => Promise<void> },
): Promise<'ended' | 'killed'> {
  if (!isRunning(leader)) return 'ended';
  if (!options.asked) sendSignal(leader.pid, 'SIGTERM');
  while (isRunning(leader) && Date.now() < options.deadlineMs) {
    await options.onLook?.();
    await delay(Math.max(0, Math.min(LOOK_EVERY_MS, options.deadlineMs - Date.now())));
    options.signal?.throwIfAborted();
  }
  const outcome = isRunning(leader) ? 'killed' : 'ended';
  if (outcome === 'killed') sendSignal(-leader.pid, 'SIGKILL');
  while (isRunning(leader)) await delay(LOOK_EVERY_MS / 5);
  await endGroup(leader.pid);
  return outcome;
}

/** Ends several processes that nobody will wait for: TERM to `asked`, after `graceMs` KILL to all that are left. Returns once all are gone. */
export async function endProcesses(all: readonly ProcessIdentity[], asked: readonly ProcessIdentity[], graceMs: number): Promise<void> {
  const left = () => all.filter(isRunning);
  for (const p of asked.filter(isRunning)) sendSignal(p.pid, 'SIGTERM');
  for (const deadline = Date.now() + graceMs; left().length > 0 && Date.now() < deadline; ) await delay(LOOK_EVERY_MS);
  for (const p of left()) sendSignal(p.pid, 'SIGKILL');
  while (left().length > 0) await delay(LOOK_EVERY_MS / 5);
}

/** Waits for the rest of a group whose leader has just ended, then kills it. While it has members its number cannot be reused. */
async function endGroup(group: number): Promise<void> {
  const deadline = Date.now() + LEFTOVERS_MS;
  while (Date.now() < deadline && isGroupRunning(group)) await delay(LOOK_EVERY_MS / 5);
  sendSignal(-group, 'SIGKILL');
}

/** A group of zombies only, which nobody reaps in some containers, counts as gone. */
function isGroupRunning(group: number): boolean {
  if (process.platform !== 'linux') return sendSignal(-group, 0);
  return allPids().some((pid) => readProcessStat(pid)?.group === group);
}

/** @param target a pid, or a group as a negative number. @returns false where there is no such process */
function sendSignal(target: number, signal: NodeJS.Signals | 0): boolean {
  try {
    process.kill(target, signal);
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error;
    return false;
  }
}
