/** The start of `uellm up`, in order: the servers, then our own roles together. */
import { migrateDatabase } from '../../db/migrate.ts';
import type { Environment } from '../environment.ts';
import type { Supervisor } from '../processes/supervisor.ts';
import { ensureFeatureKey } from './feature-key.ts';
import type { Layout } from './layout.ts';
import { runSteps, type Step } from './progress.ts';
import { hostSpec, roleSpec } from './roles.ts';
import { startPostgres, startTemporal } from './services.ts';

export interface StartOptions {
  environment: Environment;
  layout: Layout;
  supervisor: Supervisor;
  /** Hosts whose worker runs here. */
  hosts: readonly string[];
  /** No step begins once it is aborted. */
  signal: AbortSignal;
  print: (line: string) => void;
}

export interface StartedSystem {
  /** With the addresses of what was started. */
  environment: Environment;
  databaseUrl: string;
  temporalUiUrl: string | null;
}

/** @throws the first step's error, or the signal's reason */
export async function startSystem({ environment, layout, supervisor, hosts, signal, print }: StartOptions): Promise<StartedSystem> {
  const notices: string[] = [];
  const started = { environment, databaseUrl: '', temporalUiUrl: null as string | null };
  const step = (title: string, run: Step['run']): Step => ({
    title,
    run: (detail) => {
      signal.throwIfAborted();
      return run(detail);
    },
  });
  const role = (name: string) => step(name, () => supervisor.start(roleSpec(name, [], started.environment, layout)));
  const terminal = process.stdout.isTTY === true;

  await runSteps(
    [
      step('Postgres', async () => {
        started.databaseUrl = await startPostgres(environment, layout, supervisor, (text) => notices.push(text));
        await migrateDatabase(started.databaseUrl);
      }),
      step('Temporal', async (detail) => {
        const temporal = await startTemporal(environment, layout, supervisor, detail);
        started.temporalUiUrl = temporal.uiUrl;
        started.environment = { ...started.environment, temporal: { ...environment.temporal, address: temporal.address } };
      }),
    ],
    terminal,
  );
  started.environment = {
    ...started.environment,
    databaseUrl: started.databaseUrl,
    featureKeyFile: environment.featureKeyFile ?? (await ensureFeatureKey(layout.featureKeyFile)),
  };
  await runSteps(
    [
      role('profiler'),
      role('control'),
      ...(hosts.length > 0
        ? [step(`hosts ${hosts.join(', ')}`, () => supervisor.start(hostSpec(hosts, started.environment, layout)))]
        : []),
      role('gateway'),
      role('api'),
    ],
    terminal,
  );
  for (const notice of notices) print(notice);
  return started;
}
