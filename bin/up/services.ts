/** Postgres and Temporal: those that the environment names, or our own. */
import { prepareEmbeddedPostgres } from '../embedded/postgres.ts';
import { embeddedTemporal } from '../embedded/temporal.ts';
import { findTemporalBinary } from '../embedded/temporal-binary.ts';
import type { Environment } from '../environment.ts';
import type { Supervisor } from '../processes/supervisor.ts';
import type { Layout } from './layout.ts';

/** Its URL. The caller migrates it. */
export async function startPostgres(
  environment: Environment,
  layout: Layout,
  supervisor: Supervisor,
  onNotice: (text: string) => void,
): Promise<string> {
  if (environment.databaseUrl) return environment.databaseUrl;
  const postgres = await prepareEmbeddedPostgres({ dataDir: layout.dataDir, logFile: layout.logOf('postgres'), durable: true, onNotice });
  await supervisor.start(postgres.spec);
  return postgres.url;
}

export interface TemporalService {
  address: string;
  /** null where the server is not ours. */
  uiUrl: string | null;
}

export async function startTemporal(
  environment: Environment,
  layout: Layout,
  supervisor: Supervisor,
  onNotice: (text: string) => void,
): Promise<TemporalService> {
  const { address: existing, namespace } = environment.temporal;
  if (existing) return { address: existing, uiUrl: null };
  const address = '127.0.0.1';
  const { temporal: port, temporalUi: uiPort } = environment.ports;
  const command = await findTemporalBinary({ cacheDir: environment.cacheDir, onProgress: onNotice });
  await supervisor.start(
    embeddedTemporal({
      command,
      address,
      port,
      uiPort,
      namespace,
      databaseFile: layout.temporalDatabase,
      logFile: layout.logOf('temporal'),
    }),
  );
  return { address: `${address}:${port}`, uiUrl: `http://${address}:${uiPort}` };
}
