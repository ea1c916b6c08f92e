/** POST /api/v1/proposals/{id}/{approve,decline} */
import { conflict } from '../../../core/domain/errors.ts';
import { recordAudit } from '../../../db/queries/audit.ts';
import { lockProposal, readProposal, settleProposal } from '../../../db/queries/proposals.ts';
import type { ApiDependencies } from '../../context.ts';
import {
  type ProposalDecision,
  proposalDecisionInputSchema,
  proposalDecisionSchema,
  proposalResourceSchema,
} from '../../schema/proposals.ts';
import { BODY_PROBLEMS, createRoute, jsonBody, jsonContent, newRoutes, problems } from '../route.ts';
import { presentProposal, proposalParam } from './proposals.ts';

const WHAT: Record<ProposalDecision, string> = {
  approve: 'Approve a proposal: it is carried out if it still fits',
  decline: 'Decline a proposal: the same is not proposed again before it would have expired',
};
const STATE = { approve: 'approved', decline: 'declined' } as const;

export function proposalActionRoutes({ database: { db }, actions }: ApiDependencies) {
  const routes = newRoutes();
  for (const decision of proposalDecisionSchema.options) {
    routes.openapi(
      createRoute({
        method: 'post',
        path: `/{id}/${decision}`,
        access: { role: 'operator' },
        tags: ['proposals'],
        summary: WHAT[decision],
        request: { params: proposalParam, ...jsonBody(proposalDecisionInputSchema, false) },
        responses: {
          202: jsonContent(proposalResourceSchema, 'Accepted: its `state` and `outcome` say what becomes of it.'),
          ...problems(...BODY_PROBLEMS, 404, 409),
        },
      }),
      async (c) => {
        const { id } = c.req.valid('param');
        const { reason } = c.req.valid('json');
        const actor = c.get('actor');
        const decided = await db.transaction(async (tx) => {
          const row = await lockProposal(tx, id);
          const now = new Date();
          if (row.state === 'noted') throw conflict('proposal', id, 'is only noted: in shadow mode nothing is decided');
          if (row.state !== 'open') throw conflict('proposal', id, `is ${row.state}${row.outcome ? `: ${row.outcome}` : ''}`);
          if (row.expiresAt <= now) throw conflict('proposal', id, `has expired at ${row.expiresAt.toISOString()}`);
          const state = STATE[decision];
          await recordAudit(tx, {
            actor,
            action: decision,
            kind: 'proposals',
            name: id,
            before: { state: row.state },
            after: { state, reason },
          });
          await settleProposal(tx, row, { state, outcome: reason, decidedBy: actor, decidedAt: now });
          // Its workflow waits for this transaction when it looks at the row.
          await actions.tellProposal(id);
          return readProposal(tx, id);
        });
        return c.json(presentProposal(decided), 202, { location: `/api/v1/proposals/${id}` });
      },
    );
  }
  return routes;
}
