/** A router that runs: started until it answers whole, its processor time and memory, ended. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { endProcess, launch, logTail, waitUntilReady } from '../../bin/processes/launch.ts';
import { freePort } from '../../bin/processes/ports.ts';
import { descendants } from '../../test/support/installation.ts';
import { parseCpuSeconds } from '../control-plane/usage.ts';
import { Connection, type Outcome, type Question } from './connection.ts';
import { questionsOf } from './questions.ts';
import { folderOf, type RouterKind } from './routers.ts';

export interface Running {
  name: string;
  port: number;
  pid: number;
  headers: Record<string, string>;
  close(): Promise<void>;
}

export interface StartOptions {
  engineUrls: readonly string[];
  /** Holds logs and configurations, a folder for each router. */
  folder: string;
  maxInFlight: number;
  peerPolicy: string | null;
  /** Where its package is; '' for what is built here. */
  installed: string;
}

const READY_WITHIN_SECONDS = 90;
/** Some accept requests before they know all of their engines. */
const WHOLE_IN_A_ROW = 20;

/** @throws where it does not answer whole in time, with the end of its log */
export async function startRouter(kind: RouterKind, { installed, ...options }: StartOptions): Promise<Running> {
  const [port, metricsPort] = [await freePort(), await freePort()];
  const folder = folderOf(options.folder, kind.name);
  const { command, args, env, ready, headers } = await kind.command({ ...options, port, metricsPort, folder }, installed);
  const logFile = join(folder, 'log');
  const launched = await launch({
    ...{ name: kind.name, command, args, env, logFile, stopSignal: 'SIGTERM', stopGraceSeconds: 2 },
    readyWithinSeconds: READY_WITHIN_SECONDS,
    ready: async () => (await fetch(`http://127.0.0.1:${port}${ready}`, { headers, signal: AbortSignal.timeout(2000) })).ok,
  });
  const close = () => endProcess(launched, { signal: 'SIGTERM', graceSeconds: 2 });
  try {
    await waitUntilReady(launched);
    const wrong = await untilWhole(port, questionsOf({ host: `127.0.0.1:${port}`, headers, streamed: false, tokens: 32 }));
    if (wrong) throw new Error(`${kind.name} answers, but ${wrong}; ${logTail(logFile)}`);
    return { name: kind.name, port, pid: launched.pid, headers, close };
  } catch (error) {
    await close();
    throw error;
  }
}

/** @returns what is wrong in the end; null where all is well */
async function untilWhole(port: number, questions: readonly Question[]): Promise<Outcome> {
  const connection = new Connection(port);
  let outcome: Outcome = null;
  let row = 0;
  for (const untilMs = performance.now() + READY_WITHIN_SECONDS * 1000; row < WHOLE_IN_A_ROW && performance.now() < untilMs; ) {
    outcome = await new Promise<Outcome>((resolve) => connection.ask(questions[row]!, resolve));
    row = outcome === null ? row + 1 : 0;
    if (outcome !== null) await delay(200);
  }
  connection.close();
  return row < WHOLE_IN_A_ROW ? outcome : null;
}

/** User and system time of all its processes and threads, also of those that have ended, seconds. Linux only. */
export function cpuSecondsOf(pid: number): number {
  return familyOf(pid).reduce((sum, member) => sum + read(member, 'stat', parseCpuSeconds), 0);
}

/** Resident memory of all its processes, bytes: pages that they share count with each. */
export function rssBytesOf(pid: number): number {
  return familyOf(pid).reduce((sum, member) => sum + read(member, 'status', parseRssBytes), 0);
}

/** `/proc/<pid>/status`: `VmRSS:   1234 kB`. Source: proc(5). */
export function parseRssBytes(status: string): number {
  return Number(/^VmRSS:\s+(\d+) kB$/m.exec(status)?.[1] ?? 0) * 1024;
}

const familyOf = (pid: number) => [pid, ...descendants(pid)];

function read(pid: number, file: string, parse: (text: string) => number): number {
  try {
    return parse(readFileSync(`/proc/${pid}/${file}`, 'utf8'));
  } catch {
    return 0; // it has just ended
  }
}
