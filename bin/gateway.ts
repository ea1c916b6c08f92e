/** Role `gateway`: the data plane on `UELLM_GATEWAY_PORT`, by the control plane's database or, with a file, all alone. */
import { join } from 'node:path';
import { fileRouting } from '../gateway/file-routing.ts';
import type { GatewayOptions } from '../gateway/options.ts';
import { startGateway } from '../gateway/server.ts';
import type { Environment } from './environment.ts';
import { requireDatabase } from './requirements.ts';
import { runRole } from './role.ts';

/** @param configFile replicas and policies of a gateway that runs alone: no Postgres, no Temporal */
export async function runGateway(environment: Environment, configFile?: string): Promise<void> {
  await runRole('gateway', environment.logLevel, async (logger) => {
    const database = configFile ? undefined : requireDatabase(environment, logger);
    const source: GatewayOptions['source'] = database
      ? { kind: 'postgres', database, spoolDir: join(environment.dataDir, 'spool') }
      : { kind: 'alone', routing: await fileRouting(configFile!, logger) };
    const gateway = await startGateway({
      source,
      address: environment.bind,
      port: environment.ports.gateway,
      logger,
      featureKeyFile: environment.featureKeyFile,
      apiKeys: environment.apiKey ? [environment.apiKey] : [],
      ...(environment.schedulerPolicy && { policy: environment.schedulerPolicy }),
    });
    return async () => {
      await gateway.close();
      await database?.close();
    };
  });
}
