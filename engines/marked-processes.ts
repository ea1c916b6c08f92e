/**
 * Finds the processes of a host directory's engines without their state files: what was launched just before a crash, workers that
 * outlived their leader, engines whose file was lost. On Linux only; elsewhere it finds none.
 *
 * A process is ours by its environment, or by its standard output when that is one of our log files: programs that set a title of their
 * own (vLLM's EngineCore and workers do) overwrite what the kernel shows of their environment.
 */
import { readFile, readlink } from 'node:fs/promises';
import { basename, dirname } from 'node:path';
import { parseLogName } from './log-files.ts';
import { allPids, type ProcessIdentity, readProcessStat } from './process-identity.ts';

export interface MarkedProcess extends ProcessIdentity {
  replicaId: string;
  generation: number;
  /** It leads its process group: the one to ask to end. */
  leader: boolean;
}

type Mark = Pick<MarkedProcess, 'replicaId' | 'generation'>;

/** Set in the environment of every engine. */
export function markEnvironment(directory: string, mark: Mark): Record<string, string> {
  return { UELLM_HOST_DIR: directory, UELLM_REPLICA_ID: mark.replicaId, UELLM_GENERATION: String(mark.generation) };
}

/** All living processes of the engines of this host directory. */
export async function findMarkedProcesses(directory: string, logDirectory: string): Promise<MarkedProcess[]> {
  if (process.platform !== 'linux') return [];
  const found: MarkedProcess[] = [];
  for (const pid of allPids()) {
    const mark = (await markInEnvironment(pid, directory)) ?? (await markInOutput(pid, logDirectory));
    const stat = mark && readProcessStat(pid);
    if (mark && stat) found.push({ pid, startTime: stat.startTime, leader: stat.group === pid, ...mark });
  }
  return found;
}

/** Processes of other users, and those that end meanwhile, cannot be read: not ours. */
async function markInEnvironment(pid: number, directory: string): Promise<Mark | null> {
  const text = await readFile(`/proc/${pid}/environ`, 'utf8').catch(() => '');
  if (!text.includes(directory)) return null;
  const variables = new Map(text.split('\0').map((entry) => [entry.slice(0, entry.indexOf('=')), entry.slice(entry.indexOf('=') + 1)]));
  const replicaId = variables.get('UELLM_REPLICA_ID');
  if (variables.get('UELLM_HOST_DIR') !== directory || !replicaId) return null;
  return { replicaId, generation: Number(variables.get('UELLM_GENERATION')) };
}

async function markInOutput(pid: number, logDirectory: string): Promise<Mark | null> {
  const file = await readlink(`/proc/${pid}/fd/1`).catch(() => '');
  return dirname(file) === logDirectory ? parseLogName(basename(file)) : null;
}
