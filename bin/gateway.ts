/** Role `gateway`: the data plane on `UELLM_GATEWAY_PORT`, by the control plane's database or, with a file, all alone. */
import cluster from 'node:cluster';
import { join } from 'node:path';
import type { GatewayOptions } from '../gateway/options.ts';
import { fileRouting } from '../gateway/routes/file-routing.ts';
import { startGateway } from '../gateway/server.ts';
import type { Environment } from './environment.ts';
import { siblings } from './gateway-siblings.ts';
import { startWorkers } from './gateway-workers.ts';
import { CLOSE_WITHIN_MS, runRole } from './role.ts';
import { tlsServers } from './tls.ts';
import { collectYoungGarbageCheaply } from './young-garbage.ts';

/** How long open requests may go on at the end: longer than nearly all streams take. */
const STOP_SECONDS = 600;

/** @param configFile replicas and policies of a gateway that runs alone: no Postgres, no Temporal */
export async function runGateway(environment: Environment, configFile?: string): Promise<void> {
  collectYoungGarbageCheaply();
  const { workers, worker, drainSeconds, stopSeconds = STOP_SECONDS } = environment.gateway;
  const closeWithinMs = (drainSeconds + stopSeconds) * 1000 + CLOSE_WITHIN_MS;
  if (workers > 1 && cluster.isPrimary) {
    await runRole('gateway', environment.logLevel, (logger) => startWorkers(workers, logger), closeWithinMs + 1000);
    return;
  }
  const start: Parameters<typeof runRole>[2] = async (logger) => {
    const database = configFile ? undefined : (await import('./requirements.ts')).requireDatabase(environment, logger);
    const source: GatewayOptions['source'] = database
      ? { kind: 'postgres', database, spoolDir: spoolDirOf(environment.dataDir, worker) }
      : { kind: 'alone', routing: await fileRouting(configFile!, logger) };
    const gateway = await startGateway({
      source,
      address: environment.bind,
      port: environment.ports.gateway,
      logger,
      ...tlsServers(environment, logger),
      gateways: workers,
      ...(cluster.isWorker && { siblings: siblings() }),
      drainMs: drainSeconds * 1000,
      closeGraceMs: stopSeconds * 1000,
      ...environment.gateway.limits,
      featureKeyFile: environment.featureKeyFile,
      apiKeys: environment.apiKey ? [environment.apiKey] : [],
      tracing: environment.tracing,
      ...(environment.schedulerPolicy && { policy: environment.schedulerPolicy }),
    }).catch(async (error) => {
      await database?.close();
      throw error;
    });
    return async (hurry) => {
      await gateway.close(hurry);
      await database?.close();
    };
  };
  await runRole('gateway', environment.logLevel, start, closeWithinMs);
}

/** One for each; the first one's is that of a gateway alone, so that what it left is taken up. */
function spoolDirOf(dataDir: string, worker = 1): string {
  const spool = join(dataDir, 'spool');
  return worker === 1 ? spool : join(spool, `worker-${worker}`);
}
