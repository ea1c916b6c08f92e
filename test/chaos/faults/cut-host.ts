/**
 * A host's network is gone: its worker's way to Temporal lets nothing through, and its engines are stopped (SIGSTOP), so that to gateways they
 * are as far away: connections stay open and nothing comes. Unlike behind a real cut, the engines do not go on computing meanwhile.
 */
import { signal } from '../../support/installation.ts';
import { type ChaosContext, pick } from '../context.ts';
import { engineProcesses } from '../engines.ts';
import type { Aim } from './index.ts';

export const cutHost: Aim = async (context, draw) => {
  const { installation } = context;
  const worker = pick([...installation.links.keys()], draw);
  if (worker === null) return null;
  const host = worker.replace('host-', '');
  const link = installation.links.get(worker)!;
  const replicaIds = (await enginesOn(context, host)).map((e) => e.replicaId);
  return {
    target: host,
    holds: [worker],
    replicaIds,
    async strike() {
      link.cut();
      for (const { pid } of await enginesOn(context, host)) signal(-pid, 'SIGSTOP');
    },
    async mend() {
      for (const { pid } of await enginesOn(context, host)) signal(-pid, 'SIGCONT');
      link.mend();
    },
  };
};

async function enginesOn({ installation }: ChaosContext, host: string) {
  return (await engineProcesses(installation)).filter((e) => e.host === host);
}
