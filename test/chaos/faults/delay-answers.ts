/** An engine's steps take many times longer, by the simulated engine's own fault. */
import { pick } from '../context.ts';
import { engineProcesses } from '../engines.ts';
import type { Aim } from './index.ts';

const SLOWDOWN = 6;

export const delayAnswers: Aim = async ({ installation }, draw) => {
  const engine = pick(
    (await engineProcesses(installation)).filter((e) => e.endpoint !== null),
    draw,
  );
  if (engine === null) return null;
  const { replicaId, host, endpoint } = engine;
  // One that has ended meanwhile, or is stopped, answers to nobody: there is nothing to delay or to mend then.
  const set = async (faults: object) => {
    await fetch(`${endpoint}/simulated/faults`, { method: 'POST', body: JSON.stringify(faults), signal: AbortSignal.timeout(2000) }).catch(
      () => undefined,
    );
  };
  return {
    target: `${replicaId} on ${host}`,
    holds: [replicaId],
    replicaIds: [replicaId],
    strike: () => set({ slowdown: SLOWDOWN }),
    mend: () => set({}),
  };
};
