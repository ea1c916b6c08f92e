/** Role `profiler`: the profiler service on `UELLM_PROFILER_PORT`. */
import { startProfiler } from '../profiler/server.ts';
import type { Environment } from './environment.ts';
import { requireDatabase } from './requirements.ts';
import { runRole } from './role.ts';
import { tlsServers } from './tls.ts';

export async function runProfiler(environment: Environment): Promise<void> {
  await runRole('profiler', environment.logLevel, async (logger) => {
    const database = requireDatabase(environment, logger);
    const profiler = await startProfiler({
      database,
      address: environment.bind,
      port: environment.ports.profiler,
      logger,
      ...tlsServers(environment, logger),
      apiKeys: environment.apiKey ? [environment.apiKey] : [],
      retentionDays: environment.observationRetentionDays,
    });
    return async () => {
      await profiler.close();
      await database.close();
    };
  });
}
