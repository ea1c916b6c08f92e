/** SIGKILL to one of our processes; after a while it is started again on the same data, as a supervisor would. */
import { pick } from '../context.ts';
import type { Aim } from './index.ts';

/** @param prefix of the names of those that it may be */
export function killProcess(prefix: string): Aim {
  return async ({ installation }, draw) => {
    const candidates = installation.processes.filter((name) => name.startsWith(prefix));
    const target = pick(candidates, draw);
    if (target === null) return null;
    return {
      target,
      holds: [target],
      replicaIds: [],
      strike: () => installation.kill(target),
      mend: () => installation.start(target),
    };
  };
}
