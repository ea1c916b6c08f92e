/** POST /api/v1/deployments/{name}/rollouts */
import { createRoute } from '@hono/zod-openapi';
import { conflict, UellmError } from '../../../core/domain/errors.ts';
import type { Executor } from '../../../db/client.ts';
import { recordAudit } from '../../../db/queries/audit.ts';
import {
  ACCEPTED,
  type DeploymentRow,
  insertRevision,
  insertRollout,
  lockDeployment,
  revisionNumbers,
  runningRollout,
} from '../../../db/queries/deployments.ts';
import { workflowIds } from '../../../workflows/messages.ts';
import type { ApiDependencies } from '../../context.ts';
import { rolloutInputSchema, rolloutStartedSchema } from '../../schema/rollouts.ts';
import { nameParam } from '../declared.ts';
import { BODY_PROBLEMS, jsonBody, jsonContent, newRoutes, problems } from '../route.ts';

export function startRolloutRoutes({ database: { db }, actions }: ApiDependencies) {
  return newRoutes().openapi(
    createRoute({
      method: 'post',
      path: '/{name}/rollouts',
      tags: ['deployments', 'rollouts'],
      summary: 'Roll out a deployment',
      description: 'As it is declared now, which makes a new revision; or an earlier revision again.',
      request: { params: nameParam, ...jsonBody(rolloutInputSchema, false) },
      responses: {
        202: jsonContent(rolloutStartedSchema, 'Accepted: Location says where to watch it.'),
        ...problems(...BODY_PROBLEMS, 404, 409),
      },
    }),
    async (c) => {
      const { name: deployment } = c.req.valid('param');
      const wanted = c.req.valid('json').revision;
      const actor = c.get('actor');
      const started = await db.transaction(async (tx) => {
        const row = await lockDeployment(tx, deployment);
        const running = await runningRollout(tx, deployment);
        if (running) throw conflict('deployment', deployment, `rollout ${running} is running`);
        const revision = wanted === undefined ? await insertRevision(tx, deployment, row.spec) : await earlierRevision(tx, row, wanted);
        const id = await insertRollout(tx, row, revision, workflowIds.deploy);
        await recordAudit(tx, { actor, action: 'rollout', kind: 'deployments', name: deployment, after: { rollout: id, revision } });
        await actions.startDeploy(id);
        return { id, workflowId: workflowIds.deploy(id), deployment, revision, status: ACCEPTED };
      });
      return c.json(started, 202, { location: `/api/v1/rollouts/${started.id}` });
    },
  );
}

async function earlierRevision(tx: Executor, { name }: DeploymentRow, wanted: number): Promise<number> {
  const known = await revisionNumbers(tx, name);
  if (known.includes(wanted)) return wanted;
  const allowed = known.length > 0 ? `a revision of '${name}': ${known.slice(0, 20).join(', ')}` : `absent: '${name}' has no revision yet`;
  const issue = { field: 'revision', given: String(wanted), allowed };
  throw new UellmError({ kind: 'invalid-input', what: 'the request body', issues: [issue] });
}
