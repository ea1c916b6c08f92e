/** Role `api`: the admin API and the dashboard on `UELLM_API_PORT`. */
import { existsSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { Client, Connection } from '@temporalio/client';
import { observedReplicas } from '../activities/monitoring/observed-replicas.ts';
import { loadServingFleet } from '../activities/planning-input.ts';
import { createTokenVerifier } from '../api/access-tokens.ts';
import type { CostAnswer, CostQuestion } from '../api/routes/cost/reckon.ts';
import { startApi } from '../api/server.ts';
import { createTemporalActions } from '../api/temporal-actions.ts';
import { catalogPrices } from '../core/domain/accelerators.ts';
import type { Diagnosis, DiagnosisInput } from '../core/placement/diagnosis/diagnose.ts';
import type { WhatIfAnswer } from '../core/simulator/what-if.ts';
import { recordCatalogPrices } from '../db/queries/catalog-prices.ts';
import { createCodec, dataConverterOf } from './codec.ts';
import type { Environment } from './environment.ts';
import { requireDatabase } from './requirements.ts';
import { runRole } from './role.ts';
import { createThread } from './thread.ts';
import { temporalConnection, tlsServers } from './tls.ts';
import type { WatchedQuestion } from './what-if-thread.ts';

const WEB_ROOT = fileURLToPath(new URL('../web', import.meta.url));
const MANIFEST = new URL('../../package.json', import.meta.url);

export async function runApi(environment: Environment): Promise<void> {
  await runRole('api', environment.logLevel, async (logger) => {
    const database = requireDatabase(environment, logger);
    // Connects when it is first asked: the API serves what Postgres knows while Temporal is away.
    const connection = Connection.lazy(temporalConnection(environment));
    const codec = createCodec(environment.codecKeyFile);
    void recordCatalogPrices(database.db, catalogPrices()).catch((error) =>
      logger.warn({ err: error }, 'prices of the catalog were not written down: reports count them from the next start on'),
    );
    const costs = createThread<CostQuestion | DiagnosisInput, CostAnswer | Diagnosis>(new URL('./cost-thread.js', import.meta.url));
    const replays = createThread<WatchedQuestion, WhatIfAnswer>(new URL('./what-if-thread.js', import.meta.url));
    const api = await startApi({
      database,
      actions: createTemporalActions(new Client({ connection, namespace: environment.temporal.namespace, ...dataConverterOf(codec) })),
      cost: {
        loadFleet: (nowMs) => loadServingFleet(database.db, nowMs),
        reckon: async (question) => (await costs.ask(question)) as CostAnswer,
        observedReplicas: (nowMs, windowSeconds) => observedReplicas(database.db, nowMs, windowSeconds),
        diagnose: async (input) => (await costs.ask(input)) as Diagnosis,
        replay: (question, watch) => replays.ask({ question, watch }),
      },
      address: environment.bind,
      port: environment.ports.api,
      apiKeys: environment.apiKey ? [environment.apiKey] : [],
      tokens: environment.oidc ? createTokenVerifier(environment.oidc) : null,
      logger,
      info: { version: packageVersion(), temporalUiUrl: namespaceUrl(environment), gatewayUrl: environment.gatewayUrl },
      webRoot: existsSync(WEB_ROOT) ? WEB_ROOT : null,
      codec: codec ? { codec, uiOrigin: new URL(environment.temporalUiUrl).origin } : null,
      ...tlsServers(environment, logger),
    });
    return async () => {
      await api.close();
      await costs.close();
      await replays.close();
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
