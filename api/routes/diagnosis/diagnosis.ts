/** /api/v1/diagnosis */
import { z } from '@hono/zod-openapi';
import { declinedInWords } from '../../../core/domain/proposal.ts';
import { readDeployment } from '../../../db/queries/deployments.ts';
import { missingReplicas } from '../../../db/queries/diagnosis-reads.ts';
import { standingDeclines } from '../../../db/queries/proposals.ts';
import type { ApiDependencies } from '../../context.ts';
import { textFilter, windowSeconds } from '../../schema/common.ts';
import { diagnosisSchema } from '../../schema/diagnosis.ts';
import type { DiagnosisAnswer } from '../../schema/index.ts';
import { createSharedRuns } from '../cost/shared-runs.ts';
import { presentProposal } from '../proposals/proposals.ts';
import { createRoute, jsonContent, newRoutes, problems } from '../route.ts';

const DEFAULT_WINDOW_SECONDS = 300;
const MAX_WINDOW_SECONDS = 86_400;

const query = z.strictObject({
  deployment: textFilter.optional().openapi({ description: 'Only this one.' }),
  windowSeconds: windowSeconds(DEFAULT_WINDOW_SECONDS, MAX_WINDOW_SECONDS, 'Requests that ended in so long are looked at.'),
});

export function diagnosisRoutes({ database: { db }, cost }: ApiDependencies) {
  const shared = createSharedRuns<DiagnosisAnswer>();

  return newRoutes().openapi(
    createRoute({
      method: 'get',
      path: '/',
      access: { role: 'viewer' },
      tags: ['diagnosis'],
      summary: 'What binds each replica, and what one more or one less accelerator would do',
      description:
        'Where the step time of each ready replica goes at the load of the last minutes, which resource its requests wait for, and what would keep ' +
        'it from serving more. For each deployment what a replica more or fewer, or one over twice or half as many accelerators, would come to, by ' +
        'the capacities that plans are made with; whether there is room for it is not asked.',
      request: { query },
      responses: { 200: jsonContent(diagnosisSchema, 'The diagnosis.'), ...problems(404) },
    }),
    async (c) => {
      const asked = c.req.valid('query');
      const answer = await shared(JSON.stringify(asked), () => diagnose(asked));
      // One that is declared and serves nothing yet has nothing to diagnose; a name that nobody declared is a mistake.
      if (asked.deployment !== undefined && answer.replicas.length === 0) await readDeployment(db, asked.deployment);
      return c.json(answer, 200);
    },
  );

  async function diagnose({ deployment, windowSeconds }: z.output<typeof query>): Promise<DiagnosisAnswer> {
    const nowMs = Date.now();
    const fleet = await cost.loadFleet(nowMs);
    const replicas = await cost.observedReplicas(nowMs, windowSeconds);
    const isAsked = (name: string) => deployment === undefined || name === deployment;
    const missing = (await missingReplicas(db)).filter(({ subject }) => isAsked(subject));
    const declined = (await standingDeclines(db, new Date(nowMs))).filter((p) => isAsked(p.deployment));
    return {
      windowSeconds,
      ...(await cost.diagnose({ fleet, replicas, deployment })),
      missing: missing.map((m) => ({ ...m, since: m.since.toISOString() })),
      declined: declined.map((row) => ({
        deployment: row.deployment,
        proposalId: row.id,
        reason: `${row.summary}: ${declinedInWords(presentProposal({ ...row, moves: [] }), nowMs)}`,
      })),
    };
  }
}
