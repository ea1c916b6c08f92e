/** /api/v1/replicas */
import { z } from '@hono/zod-openapi';
import { listReplicas } from '../../../db/queries/replica-reads.ts';
import { loadReplica, type ReplicaRow } from '../../../db/queries/replicas.ts';
import type { ApiDependencies } from '../../context.ts';
import { listOf, textFilter } from '../../schema/common.ts';
import type { ReplicaResource } from '../../schema/index.ts';
import { replicaResourceSchema, replicaStatesSchema } from '../../schema/replicas.ts';
import { pageRequest } from '../cursor.ts';
import { createRoute, jsonContent, listAnswer, listQuery, newRoutes, problems } from '../route.ts';
import { unreachableReplicas } from './unreachable.ts';

const tags = ['replicas'];
const query = listQuery({
  deployment: textFilter.optional(),
  host: textFilter.optional(),
  model: textFilter.optional(),
  state: replicaStatesSchema.optional(),
});

export function replicaRoutes({ database: { db } }: ApiDependencies) {
  return newRoutes()
    .openapi(
      createRoute({
        method: 'get',
        path: '/',
        access: { role: 'viewer' },
        tags,
        summary: 'List replicas',
        request: { query },
        responses: {
          200: jsonContent(listOf(replicaResourceSchema, 'ReplicaList'), 'Living ones first, then those that ended.'),
          ...problems(),
        },
      }),
      async (c) => {
        const { deployment, host, model, state, ...page } = c.req.valid('query');
        const found = await listReplicas(db, pageRequest(page), { deployment, host, model, states: state });
        const unreachable = await unreachableReplicas(db);
        return c.json(
          listAnswer(found, (row) => presentReplica(row, unreachable)),
          200,
        );
      },
    )
    .openapi(
      createRoute({
        method: 'get',
        path: '/{id}',
        access: { role: 'viewer' },
        tags,
        summary: 'Read a replica',
        request: { params: z.object({ id: textFilter }) },
        responses: { 200: jsonContent(replicaResourceSchema, 'The replica.'), ...problems(404) },
      }),
      async (c) => c.json(presentReplica(await loadReplica(db, c.req.valid('param').id), await unreachableReplicas(db)), 200),
    );
}

function presentReplica(row: ReplicaRow, unreachable: ReadonlyMap<string, string>): ReplicaResource {
  const { id, model, deployment, revision, host, accelerators, tensorParallel, engine, endpoint, state, generation, simulated } = row;
  const { acceleratorKind, weight, reason, planId, capacityRequestsPerSecond, maxInFlight, kvCacheTokens } = row;
  const createdAt = row.createdAt.toISOString();
  const updatedAt = row.updatedAt.toISOString();
  const endedAt = row.endedAt?.toISOString() ?? null;
  return {
    ...{ id, model, deployment, revision, host, accelerators, tensorParallel, engine, endpoint, state, generation, simulated },
    status: {
      acceleratorKind,
      weight,
      reason,
      unreachable: row.endedAt ? null : (unreachable.get(id) ?? null),
      planId,
      capacityRequestsPerSecond,
      maxInFlight,
      kvCacheTokens,
      createdAt,
      updatedAt,
      endedAt,
    },
  };
}
