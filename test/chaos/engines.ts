/** The engine processes of an installation, as /proc has them: what really runs, whatever files and rows say. */

import { realpathSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { findMarkedProcesses } from '../../engines/marked-processes.ts';
import type { Installation } from '../support/installation.ts';

export interface EngineProcess {
  host: string;
  replicaId: string;
  generation: number;
  pid: number;
  /** Empty where its spec cannot be read. */
  accelerators: readonly number[];
  endpoint: string | null;
}

/** In the order of hosts and replicas. */
export async function engineProcesses({ hosts, layout }: Installation): Promise<EngineProcess[]> {
  const found = await Promise.all(
    hosts.map(async (host) => {
      const directory = realpathSync(layout.hostDir(host));
      const marked = (await findMarkedProcesses(directory, join(directory, 'logs'))).filter((p) => p.leader);
      return Promise.all(
        marked.map(async ({ replicaId, generation, pid }) => {
          const spec = await readJson<{ accelerators: number[] }>(join(directory, 'specs', `${replicaId}.json`));
          const record = await readJson<{ pid: number; endpoint: string }>(join(directory, 'engines', `${replicaId}.json`));
          const endpoint = record?.pid === pid ? record.endpoint : null;
          return { host, replicaId, generation, pid, accelerators: spec?.accelerators ?? [], endpoint };
        }),
      );
    }),
  );
  return found.flat().sort((a, b) => a.host.localeCompare(b.host) || a.replicaId.localeCompare(b.replicaId) || a.pid - b.pid);
}

async function readJson<T>(file: string): Promise<T | null> {
  try {
    return JSON.parse(await readFile(file, 'utf8')) as T;
  } catch {
    return null; // it has just been removed, or is being written
  }
}
