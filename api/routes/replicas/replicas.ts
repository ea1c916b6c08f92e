/** /api/v1/replicas */
import { z } from '@hono/zod-openapi';
import type { Executor } from '../../../db/client.ts';
import { listReplicas } from '../../../db/queries/replica-reads.ts';
import { loadReplica, type ReplicaRow } from '../../../db/queries/replicas.ts';
import type { ApiDependencies } from '../../context.ts';
import { listOf, textFilter } from '../../schema/common.ts';
import type { ReplicaResource } from '../../schema/index.ts';
import { replicaResourceSchema, replicaStatesSchema } from '../../schema/replicas.ts';
import { pageRequest } from '../cursor.ts';
import { createRoute, jsonContent, listAnswer, listQuery, newRoutes, problems } from '../route.ts';
import { memoryOf } from './memory.ts';
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
        const present = await presenter(db, found.items);
        return c.json(listAnswer(found, present), 200);
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
      async (c) => {
        const row = await loadReplica(db, c.req.valid('param').id);
        const present = await presenter(db, [row]);
        return c.json(present(row), 200);
      },
    );
}

/** Presents these rows with what else is known of them. */
async function presenter(db: Executor, rows: readonly ReplicaRow[]): Promise<(row: ReplicaRow) => ReplicaResource> {
  const unreachable = await unreachableReplicas(db);
  const memory = await memoryOf(db, rows);
  return (row) => presentReplica(row, row.endedAt ? null : (unreachable.get(row.id) ?? null), memory.get(row.id) ?? null);
}

function presentReplica(row: ReplicaRow, unreachable: string | null, memory: ReplicaResource['status']['memory']): ReplicaResource {
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
      unreachable,
      planId,
      capacityRequestsPerSecond,
      maxInFlight,
      kvCacheTokens,
      memory,
      createdAt,
      updatedAt,
      endedAt,
    },
  };
}
