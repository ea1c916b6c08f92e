/** /api/v1/info */
import { countSimulatedHosts } from '../../../db/queries/hosts.ts';
import type { ApiDependencies } from '../../context.ts';
import { infoSchema } from '../../schema/cluster.ts';
import { createRoute, jsonContent, newRoutes, problems } from '../route.ts';

export function infoRoutes({ database: { db }, info }: ApiDependencies) {
  return newRoutes().openapi(
    createRoute({
      method: 'get',
      path: '/',
      access: { role: 'viewer', tenants: true },
      tags: ['info'],
      summary: 'What this installation is, and where its other faces are',
      responses: { 200: jsonContent(infoSchema, 'The installation.'), ...problems() },
    }),
    async (c) => c.json({ ...info, simulatedHosts: await countSimulatedHosts(db) }, 200),
  );
}
