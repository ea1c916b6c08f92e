/** Role `api`: the admin API and the dashboard on `UELLM_API_PORT`. */
import { existsSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { Client, Connection } from '@temporalio/client';
import { loadServingFleet } from '../activities/planning-input.ts';
import type { CostAnswer, CostQuestion } from '../api/routes/cost/reckon.ts';
import { startApi } from '../api/server.ts';
import { createTemporalActions } from '../api/temporal-actions.ts';
import type { Environment } from './environment.ts';
import { requireDatabase, temporalAddress } from './requirements.ts';
import { runRole } from './role.ts';
import { createThread } from './thread.ts';

const WEB_ROOT = fileURLToPath(new URL('../web', import.meta.url));
const MANIFEST = new URL('../../package.json', import.meta.url);

export async function runApi(environment: Environment): Promise<void> {
  await runRole('api', environment.logLevel, async (logger) => {
    const database = requireDatabase(environment, logger);
    // Connects when it is first asked: the API serves what Postgres knows while Temporal is away.
    const connection = Connection.lazy({ address: temporalAddress(environment) });
    const costs = createThread<CostQuestion, CostAnswer>(new URL('./cost-thread.js', import.meta.url));
    const api = await startApi({
      database,
      actions: createTemporalActions(new Client({ connection, namespace: environment.temporal.namespace })),
      cost: { loadFleet: (nowMs) => loadServingFleet(database.db, nowMs), reckon: costs.ask },
      address: environment.bind,
      port: environment.ports.api,
      apiKeys: environment.apiKey ? [environment.apiKey] : [],
      logger,
      info: { version: packageVersion(), temporalUiUrl: namespaceUrl(environment), gatewayUrl: environment.gatewayUrl },
      webRoot: existsSync(WEB_ROOT) ? WEB_ROOT : null,
    });
    return async () => {
      await api.close();
      await costs.close();
      await connection.close();
      await database.close();
    };
  });
}

/** Where Temporal's UI shows our workflows: it has a page for each namespace. */
function namespaceUrl({ temporalUiUrl, temporal }: Environment): string {
  return `${temporalUiUrl.replace(/\/+$/, '')}/namespaces/${encodeURIComponent(temporal.namespace)}`;
}

function packageVersion(): string {
  return (JSON.parse(readFileSync(MANIFEST, 'utf8')) as { version: string }).version;
}
