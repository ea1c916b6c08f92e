/**
 * POST /api/v1/deployments/{name}/rollouts. While a rollout runs, one of something else supersedes it: its row waits for the running one to end,
 * and its workflow tells that one so. One that waits already has not begun, and is ended here.
 */
import { isDeepStrictEqual } from 'node:util';
import { rolledOutPart } from '../../../core/domain/deployment.ts';
import { conflict, UellmError } from '../../../core/domain/errors.ts';
import type { Executor, Transaction } from '../../../db/client.ts';
import { recordAudit } from '../../../db/queries/audit.ts';
import {
  acceptedBehind,
  type DeploymentRow,
  insertRevision,
  insertRollout,
  lockDeployment,
  type OpenRollout,
  openRollouts,
  revisionNumbers,
} from '../../../db/queries/deployments.ts';
import { endRollout } from '../../../db/queries/rollouts.ts';
import { workflowIds } from '../../../workflows/messages.ts';
import type { ApiDependencies } from '../../context.ts';
import { rolloutInputSchema, rolloutStartedSchema } from '../../schema/rollouts.ts';
import { nameParam } from '../declared.ts';
import { BODY_PROBLEMS, createRoute, jsonBody, jsonContent, newRoutes, problems } from '../route.ts';

export function startRolloutRoutes({ database: { db }, actions }: ApiDependencies) {
  return newRoutes().openapi(
    createRoute({
      method: 'post',
      path: '/{name}/rollouts',
      access: { role: 'operator' },
      tags: ['deployments', 'rollouts'],
      summary: 'Roll out a deployment',
      description:
        'As it is declared now, which makes a new revision; or an earlier revision again. A running rollout of something else is superseded: ' +
        'unless it is promoted already it goes back to what served before, and this one begins when it has ended. Of the very same: 409.',
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
        const [running, waiting] = await openRollouts(tx, deployment);
        refuseTheSame(row, wanted, waiting ?? running);
        const revision = wanted === undefined ? await insertRevision(tx, deployment, row.spec) : await earlierRevision(tx, row, wanted);
        if (waiting) await supersedeWaiting(tx, waiting, revision);
        const id = await insertRollout(tx, row, revision, workflowIds.deploy, running?.id ?? null);
        await recordAudit(tx, { actor, action: 'rollout', kind: 'deployments', name: deployment, after: { rollout: id, revision } });
        await actions.startDeploy(id);
        return { id, workflowId: workflowIds.deploy(id), deployment, revision, status: acceptedBehind(running?.id ?? null) };
      });
      return c.json(started, 202, { location: `/api/v1/rollouts/${started.id}` });
    },
  );
}

/** @throws conflict where the newest open rollout rolls out what is asked for */
function refuseTheSame({ name, spec }: DeploymentRow, wanted: number | undefined, newest: OpenRollout | undefined): void {
  if (!newest) return;
  const isTheSame = wanted === undefined ? isDeepStrictEqual(rolledOutPart(newest.spec), rolledOutPart(spec)) : newest.revision === wanted;
  if (!isTheSame) return;
  const doing = newest.queuedBehind === null ? 'is running' : `waits for rollout ${newest.queuedBehind} to end`;
  throw conflict(
    'deployment',
    name,
    `rollout ${newest.id} ${doing} and rolls out just this, revision ${newest.revision}: nothing to change`,
  );
}

async function supersedeWaiting(tx: Transaction, { id, status }: OpenRollout, revision: number): Promise<void> {
  const reason = `superseded by revision ${revision} before it began`;
  await endRollout(tx, id, { ...status, phase: 'superseded', reason });
}

async function earlierRevision(tx: Executor, { name }: DeploymentRow, wanted: number): Promise<number> {
  const known = await revisionNumbers(tx, name);
  if (known.includes(wanted)) return wanted;
  const allowed = known.length > 0 ? `a revision of '${name}': ${known.slice(0, 20).join(', ')}` : `absent: '${name}' has no revision yet`;
  const issue = { field: 'revision', given: String(wanted), allowed };
  throw new UellmError({ kind: 'invalid-input', what: 'the request body', issues: [issue] });
}
