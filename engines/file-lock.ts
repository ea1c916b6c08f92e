/**
 * Exclusive locks between everything that uses a host directory: calls of one process, and the processes of an old and a new host worker.
 * A lock is a file that says who holds it; one whose holder has died is broken.
 */
import { link, readFile, rm, writeFile } from 'node:fs/promises';
import { setTimeout as delay } from 'node:timers/promises';
import { UellmError } from '../core/domain/errors.ts';
import { isRunning, type ProcessIdentity, processStartTime } from './process-identity.ts';

const RETRY_MS = 25;
const DEFAULT_WAIT_SECONDS = 120;

/** Frees the lock. */
export type Release = () => Promise<void>;

/** Takes the lock at once, or returns null because a living process (perhaps this one) holds it. */
export async function tryLock(file: string): Promise<Release | null> {
  const holder = ourselves();
  if (await createWhole(file, holder)) return () => rm(file);
  const current = await readText(file);
  if (current !== null && holderLives(current)) return null;
  if (current !== null) await breakLock(file, current, holder);
  return (await createWhole(file, holder)) ? () => rm(file) : null;
}

/** Does a living process hold it? */
export async function isLocked(file: string): Promise<boolean> {
  const current = await readText(file);
  return current !== null && holderLives(current);
}

/**
 * Runs `work` while holding the lock.
 * @param options.onWait called while someone else holds it
 * @throws unavailable after `waitSeconds` (120), or the signal's reason
 */
export async function withLock<T>(
  file: string,
  work: () => Promise<T>,
  options: { waitSeconds?: number; signal?: AbortSignal | undefined; onWait?: () => void } = {},
): Promise<T> {
  const waitSeconds = options.waitSeconds ?? DEFAULT_WAIT_SECONDS;
  const deadline = Date.now() + waitSeconds * 1000;
  let release = await tryLock(file);
  while (!release) {
    if (Date.now() > deadline) {
      throw new UellmError({
        kind: 'unavailable',
        what: `lock ${file}`,
        reason: `another process holds it for more than ${waitSeconds} s`,
      });
    }
    options.onWait?.();
    await delay(RETRY_MS);
    options.signal?.throwIfAborted();
    release = await tryLock(file);
  }
  try {
    return await work();
  } finally {
    await release();
  }
}

let taken = 0;
/** Different each time, so that a lock that was broken and taken again is not mistaken for the one that was read before. */
function ourselves(): string {
  taken += 1;
  return JSON.stringify({ pid: process.pid, startTime: processStartTime(process.pid), taken });
}

function holderLives(text: string): boolean {
  try {
    return isRunning(JSON.parse(text) as ProcessIdentity);
  } catch {
    return false; // emptied by a power cut
  }
}

/** Creates the file with its content in one step; false where it exists. Others never see it empty. */
async function createWhole(file: string, content: string): Promise<boolean> {
  const draft = `${file}.${process.pid}.${taken}`;
  taken += 1;
  await writeFile(draft, content);
  try {
    await link(draft, file);
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EEXIST') return false;
    throw error;
  } finally {
    await rm(draft);
  }
}

/** Removes a dead holder's lock. A lock of its own lets one process at a time do so: else two could, the second removing the first one's new lock. */
async function breakLock(file: string, dead: string, holder: string): Promise<void> {
  const guard = `${file}.breaking`;
  if (!(await createWhole(guard, holder))) {
    const breaker = await readText(guard);
    if (breaker !== null && !holderLives(breaker)) await rm(guard, { force: true });
    return;
  }
  try {
    if ((await readText(file)) === dead) await rm(file);
  } finally {
    await rm(guard, { force: true });
  }
}

async function readText(file: string): Promise<string | null> {
  try {
    return await readFile(file, 'utf8');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return null;
    throw error;
  }
}
