/** /api/v1/hosts/{name}/log and /api/v1/replicas/{id}/log: the end of a log, fetched from the host by its own worker. */
import { z } from '@hono/zod-openapi';
import { conflict } from '../../../core/domain/errors.ts';
import { readHost } from '../../../db/queries/hosts.ts';
import { loadReplica } from '../../../db/queries/replicas.ts';
import type { ApiDependencies } from '../../context.ts';
import { textFilter } from '../../schema/common.ts';
import { logQuery, logTailSchema } from '../../schema/logs.ts';
import { nameParam } from '../declared.ts';
import { createRoute, jsonContent, newRoutes, problems } from '../route.ts';

const shared = {
  method: 'get',
  // What an engine writes is the fleet's own: it may name what tenants do.
  access: { role: 'operator' },
  responses: { 200: jsonContent(logTailSchema, 'Its last lines.'), ...problems(404, 409) },
} as const;

export function hostLogRoutes({ database: { db }, actions }: ApiDependencies) {
  return newRoutes().openapi(
    createRoute({
      ...shared,
      path: '/{name}/log',
      tags: ['hosts'],
      summary: 'The last lines that the worker of a host has logged',
      request: { params: nameParam, query: logQuery },
    }),
    async (c) => {
      const { name, external } = await readHost(db, c.req.valid('param').name);
      if (external) throw conflict('host', name, 'is external: no worker of ours runs there');
      return c.json(await actions.readLog({ host: name, replicaId: null, lines: c.req.valid('query').lines }), 200);
    },
  );
}

export function replicaLogRoutes({ database: { db }, actions }: ApiDependencies) {
  return newRoutes().openapi(
    createRoute({
      ...shared,
      path: '/{id}/log',
      tags: ['replicas'],
      summary: 'The last lines that the engine of a replica has written, also after it has ended',
      request: { params: z.object({ id: textFilter }), query: logQuery },
    }),
    async (c) => {
      const { id, host } = await loadReplica(db, c.req.valid('param').id);
      const { external } = await readHost(db, host);
      if (external) throw conflict('replica', id, `runs on the external host '${host}': its log is where its engine was started`);
      return c.json(await actions.readLog({ host, replicaId: id, lines: c.req.valid('query').lines }), 200);
    },
  );
}
