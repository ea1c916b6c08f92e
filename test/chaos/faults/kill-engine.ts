/** SIGKILL to an engine and its process group, as the kernel's out-of-memory killer would. */
import { signal } from '../../support/installation.ts';
import { pick } from '../context.ts';
import { engineProcesses } from '../engines.ts';
import type { Aim } from './index.ts';

export const killEngine: Aim = async ({ installation }, draw) => {
  const engine = pick(await engineProcesses(installation), draw);
  if (engine === null) return null;
  const { replicaId, pid, host } = engine;
  return {
    target: `${replicaId} on ${host}`,
    holds: [replicaId],
    replicaIds: [replicaId],
    strike: async () => signal(-pid, 'SIGKILL'),
    mend: async () => {},
  };
};
