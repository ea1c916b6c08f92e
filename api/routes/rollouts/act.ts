/** POST /api/v1/rollouts/{id}/{pause,resume,approve,abort} */
import { conflict, UellmError } from '../../../core/domain/errors.ts';
import type { RolloutStatus } from '../../../core/domain/rollout.ts';
import type { Database } from '../../../db/client.ts';
import { type AuditEntry, recordAudit } from '../../../db/queries/audit.ts';
import { type RolloutRow, readRollout } from '../../../db/queries/rollout-reads.ts';
import { endOrphan } from '../../../db/queries/rollouts.ts';
import type { RolloutAction } from '../../actions.ts';
import type { ApiDependencies } from '../../context.ts';
import { rolloutActionInputSchema, rolloutActionSchema, rolloutResourceSchema } from '../../schema/rollouts.ts';
import { BODY_PROBLEMS, createRoute, jsonBody, jsonContent, newRoutes, problems } from '../route.ts';
import { presentRollout, rolloutParam } from './rollouts.ts';

const WHAT: Record<RolloutAction, string> = {
  pause: 'Pause a rollout before its next step',
  resume: 'Let a paused rollout go on',
  approve: 'Approve a rollout that waits for it',
  abort: 'Abort a rollout and go back to what served before',
};

export function rolloutActionRoutes({ database: { db }, actions }: ApiDependencies) {
  const routes = newRoutes();
  for (const action of rolloutActionSchema.options) {
    routes.openapi(
      createRoute({
        method: 'post',
        path: `/{id}/${action}`,
        access: { role: 'operator' },
        tags: ['rollouts'],
        summary: WHAT[action],
        description: 'The workflow answers; 503 after 5 s without a control worker, and the request may still take effect when one comes.',
        request: { params: rolloutParam, ...jsonBody(rolloutActionInputSchema, false) },
        responses: { 200: jsonContent(rolloutResourceSchema, 'The rollout as it now stands.'), ...problems(...BODY_PROBLEMS, 404, 409) },
      }),
      async (c) => {
        const rollout = await readRollout(db, c.req.valid('param').id);
        if (rollout.endedAt) throw ended(rollout.id, rollout.status);
        const { reason } = c.req.valid('json');
        const by = c.get('actor');
        const audit = { actor: by, action, kind: 'rollouts', name: rollout.id, before: rollout.status, after: { reason } };
        try {
          const status = await db.transaction(async (tx) => {
            await recordAudit(tx, audit);
            return actions.updateRollout(rollout.id, action, { by, reason });
          });
          return c.json(presentRollout({ ...rollout, status }), 200);
        } catch (error) {
          if (!isNotFound(error)) throw error;
          return c.json(presentRollout(await abortOrphan(db, audit)), 200);
        }
      },
    );
  }
  return routes;
}

/**
 * A rollout whose workflow is gone (terminated by hand, or lost with Temporal's own data) would hold its deployment for ever.
 * An abort ends it; anything else is told so.
 */
async function abortOrphan(db: Database, audit: AuditEntry): Promise<RolloutRow> {
  return db.transaction(async (tx) => {
    const { status, endedAt } = await readRollout(tx, audit.name);
    if (endedAt) throw ended(audit.name, status);
    if (audit.action !== 'abort') throw conflict('rollout', audit.name, 'its workflow is gone: abort it, then roll out again');
    await recordAudit(tx, audit);
    await endOrphan(tx, audit.name, 'aborted: its workflow was gone');
    return readRollout(tx, audit.name);
  });
}

const ended = (id: string, status: RolloutStatus) => conflict('rollout', id, `has ended: ${status.phase}`);

function isNotFound(error: unknown): boolean {
  return error instanceof UellmError && error.detail.kind === 'not-found';
}
