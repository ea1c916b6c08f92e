/** What engines write: one file a launch, named so that its name alone tells whose it is. */
import { open, readdir, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';

/** Logs of engines that have ended are kept for whoever looks into why, the latest of the host. */
const KEPT_LOGS = 100;
const TAIL_BYTES = 8192;

export function logName(replicaId: string, generation: number, startedAtMs: number): string {
  return `${replicaId}.g${generation}.${startedAtMs}.log`;
}

/** Whose log it is; null for another kind of file. A removed file's name, as `/proc` shows it, is understood too. */
export function parseLogName(name: string): { replicaId: string; generation: number } | null {
  const match = /^(.+)\.g(\d+)\.\d+\.log( \(deleted\))?$/.exec(name);
  return match ? { replicaId: match[1]!, generation: Number(match[2]) } : null;
}

/** The last lines of a log, oldest first; empty where there is none. @param tailBytes how far back it looks */
export async function lastLogLines(file: string, lines = 15, tailBytes = TAIL_BYTES): Promise<string[]> {
  const handle = await open(file, 'r').catch(() => null);
  if (!handle) return [];
  try {
    const { size } = await handle.stat();
    const buffer = Buffer.alloc(Math.min(size, tailBytes));
    await handle.read(buffer, 0, buffer.length, size - buffer.length);
    return buffer.toString('utf8').trimEnd().split('\n').slice(-lines);
  } finally {
    await handle.close();
  }
}

/** The file that a replica's newest launch wrote; null where none is left. @returns its name */
export async function newestLog(directory: string, replicaId: string): Promise<string | null> {
  const names = (await readdir(directory)).filter((name) => parseLogName(name)?.replicaId === replicaId);
  const launchedAtMs = (name: string) => Number(/\.(\d+)\.log$/.exec(name)?.[1]);
  return names.sort((a, b) => launchedAtMs(b) - launchedAtMs(a))[0] ?? null;
}

/** Removes the oldest logs beyond the limit, those `inUse` aside. */
export async function pruneLogs(directory: string, inUse: ReadonlySet<string>, keep = KEPT_LOGS): Promise<void> {
  const files = (await readdir(directory)).map((name) => join(directory, name)).filter((file) => !inUse.has(file));
  const dated = await Promise.all(files.map(async (file) => ({ file, at: (await stat(file)).mtimeMs })));
  const excess = dated.sort((a, b) => b.at - a.at).slice(keep);
  await Promise.all(excess.map(({ file }) => rm(file, { force: true })));
}
