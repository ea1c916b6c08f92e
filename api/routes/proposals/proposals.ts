/** /api/v1/proposals */
import { z } from '@hono/zod-openapi';
import { proposalStateSchema } from '../../../core/domain/proposal.ts';
import { listProposals, type ProposalView, readProposal } from '../../../db/queries/proposals.ts';
import type { ApiDependencies } from '../../context.ts';
import { listOf, textFilter } from '../../schema/common.ts';
import type { ProposalResource } from '../../schema/index.ts';
import { proposalResourceSchema } from '../../schema/proposals.ts';
import { pageRequest } from '../cursor.ts';
import { createRoute, jsonContent, listAnswer, listQuery, newRoutes, problems } from '../route.ts';

const tags = ['proposals'];
const query = listQuery({ deployment: textFilter.optional(), state: proposalStateSchema.optional() });
export const proposalParam = z.object({ id: textFilter });

export function proposalRoutes({ database: { db } }: ApiDependencies) {
  return newRoutes()
    .openapi(
      createRoute({
        method: 'get',
        path: '/',
        access: { role: 'viewer' },
        tags,
        summary: 'List proposals',
        description: 'What would change the placement of deployments that are in `advise` or `shadow` mode.',
        request: { query },
        responses: { 200: jsonContent(listOf(proposalResourceSchema, 'ProposalList'), 'Newest first.'), ...problems() },
      }),
      async (c) => {
        const { deployment, state, ...page } = c.req.valid('query');
        return c.json(listAnswer(await listProposals(db, pageRequest(page), { deployment, state }), presentProposal), 200);
      },
    )
    .openapi(
      createRoute({
        method: 'get',
        path: '/{id}',
        access: { role: 'viewer' },
        tags,
        summary: 'Read a proposal',
        request: { params: proposalParam },
        responses: { 200: jsonContent(proposalResourceSchema, 'The proposal.'), ...problems(404) },
      }),
      async (c) => c.json(presentProposal(await readProposal(db, c.req.valid('param').id)), 200),
    );
}

export function presentProposal({ basis: _, fingerprint: __, createdAt, expiresAt, decidedAt, ...row }: ProposalView): ProposalResource {
  return {
    ...row,
    createdAt: createdAt.toISOString(),
    expiresAt: expiresAt.toISOString(),
    decidedAt: decidedAt?.toISOString() ?? null,
  };
}
