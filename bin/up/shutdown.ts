/** The end of `uellm up`: everything in reverse order, workers before the servers they need, engines with them. */
import { pino } from 'pino';
import { messageOf } from '../../core/domain/errors.ts';
import { createEngineHost } from '../../engines/host.ts';
import { engineDrivers } from '../engine-drivers.ts';
import type { Environment } from '../environment.ts';
import type { Supervisor } from '../processes/supervisor.ts';
import type { Layout } from './layout.ts';

/** What an engine gets to finish its streams, seconds: whoever ends the whole system does not wait for the longest one. */
const ENGINE_GRACE_SECONDS = 3;

export interface Running {
  environment: Environment;
  layout: Layout;
  supervisor: Supervisor;
  /** Hosts whose engines are ours to end. */
  hosts: readonly string[];
}

/** @param hurry cuts every politeness short */
export async function shutDown(running: Running, hurry: AbortSignal, print: (line: string) => void): Promise<void> {
  const { supervisor } = running;
  print('ending: API and gateway, hosts and their engines, workers, Temporal, Postgres (Ctrl-C again to hurry)');
  await supervisor.stop('api', hurry);
  await supervisor.stop('gateway', hurry);
  await supervisor.stop('host', hurry);
  await stopEngines(running, hurry, print);
  await supervisor.stop('control', hurry);
  await supervisor.stop('profiler', hurry);
  await supervisor.stop('temporal', hurry);
  await supervisor.stop('postgres', hurry);
  print(`uellm has ended; its data is in ${running.layout.dataDir}`);
}

async function stopEngines({ environment, layout, hosts }: Running, hurry: AbortSignal, print: (line: string) => void): Promise<void> {
  await Promise.all(
    hosts.map(async (host) => {
      const directory = layout.hostDir(host);
      const engines = createEngineHost({
        directory,
        drivers: engineDrivers(environment, directory),
        address: environment.engineAddress,
        logger: pino({ level: 'silent' }),
      });
      try {
        await engines.stopAll({ graceSeconds: hurry.aborted ? 0 : ENGINE_GRACE_SECONDS });
      } catch (error) {
        print(`engines of ${host}: ${messageOf(error)}`);
      }
    }),
  );
}
