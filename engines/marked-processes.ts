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

/**
 * All living processes of the engines of this host directory.
 * @param atMostOldMs a look that was taken for somebody else so long ago will do: of what it found, some may have ended
 */
export async function findMarkedProcesses(directory: string, logDirectory: string, { atMostOldMs = 0 } = {}): Promise<MarkedProcess[]> {
  if (process.platform !== 'linux') return [];
  const recent = latest?.launches === launches && Date.now() - latest.beganAtMs < atMostOldMs ? latest.sights : null;
  const sights = recent ?? (await lookAround());
  return sights.flatMap(({ environment, output, ...identity }) => {
    const mark = environment?.directory === directory ? environment.mark : output?.directory === logDirectory ? output.mark : null;
    return mark ? [{ ...identity, ...mark }] : [];
  });
}

/** This process has launched an engine: earlier looks will not do any more. */
export function noteLaunch(): void {
  launches += 1;
}

/** A process that some host directory of this machine has marked. */
interface Sight extends ProcessIdentity {
  leader: boolean;
  environment: { directory: string; mark: Mark } | null;
  output: { directory: string; mark: Mark } | null;
}

let launches = 0;
let latest: { beganAtMs: number; launches: number; sights: readonly Sight[] } | undefined;
let looking: Promise<readonly Sight[]> | undefined;
let lookingNext: Promise<readonly Sight[]> | undefined;

/** One look at all processes serves everybody who asked before it began: hosts that share a worker do not each take their own. */
function lookAround(): Promise<readonly Sight[]> {
  if (!looking) {
    looking = lookAtAll().finally(() => {
      looking = undefined;
    });
    return looking;
  }
  const again = () => {
    lookingNext = undefined;
    return lookAround();
  };
  lookingNext ??= looking.then(again, again);
  return lookingNext;
}

async function lookAtAll(): Promise<readonly Sight[]> {
  const began = { beganAtMs: Date.now(), launches };
  const sights: Sight[] = [];
  for (const pid of allPids()) {
    const environment = await markInEnvironment(pid);
    const output = await markInOutput(pid);
    const stat = (environment ?? output) && readProcessStat(pid);
    if (stat) sights.push({ pid, startTime: stat.startTime, leader: stat.group === pid, environment, output });
  }
  latest = { ...began, sights };
  return sights;
}

/** Processes of other users, and those that end meanwhile, cannot be read: not ours. */
async function markInEnvironment(pid: number): Promise<Sight['environment']> {
  const text = await readFile(`/proc/${pid}/environ`, 'utf8').catch(() => '');
  if (!text.includes('UELLM_REPLICA_ID=')) return null;
  const variables = new Map(text.split('\0').map((entry) => [entry.slice(0, entry.indexOf('=')), entry.slice(entry.indexOf('=') + 1)]));
  const [directory, replicaId] = [variables.get('UELLM_HOST_DIR'), variables.get('UELLM_REPLICA_ID')];
  if (!directory || !replicaId) return null;
  return { directory, mark: { replicaId, generation: Number(variables.get('UELLM_GENERATION')) } };
}

async function markInOutput(pid: number): Promise<Sight['output']> {
  const file = await readlink(`/proc/${pid}/fd/1`).catch(() => '');
  const mark = parseLogName(basename(file));
  return mark && { directory: dirname(file), mark };
}
