/** /api/v1/hosts/{name}/drain and /uncordon */
import type { DrainReceipt } from '../../../core/domain/drain.ts';
import { conflict, notFound } from '../../../core/domain/errors.ts';
import { recordAudit } from '../../../db/queries/audit.ts';
import { changeHostService, type HostRow, livingReplicaIds, lockHost, readHost } from '../../../db/queries/hosts.ts';
import { openRequestsOn } from '../../../db/queries/leases.ts';
import { type DrainStatus, workflowIds } from '../../../workflows/messages.ts';
import { NO_DRAIN } from '../../actions.ts';
import type { ApiDependencies } from '../../context.ts';
import { drainInputSchema, drainSchema, drainStartedSchema, hostResourceSchema } from '../../schema/hosts.ts';
import type { Drain } from '../../schema/index.ts';
import { nameParam } from '../declared.ts';
import { BODY_PROBLEMS, createRoute, jsonBody, jsonContent, newRoutes, problems } from '../route.ts';
import { presentHost } from './hosts.ts';

const tags = ['hosts'];
const params = { params: nameParam };

export function drainRoutes({ database: { db }, actions }: ApiDependencies) {
  return newRoutes()
    .openapi(
      createRoute({
        method: 'post',
        path: '/{name}/drain',
        access: { role: 'operator' },
        tags,
        summary: 'Drain a host',
        description: 'The host takes no new work from now on, also while no worker is up; the workflow then moves what is there.',
        request: { ...params, ...jsonBody(drainInputSchema, false) },
        responses: {
          202: jsonContent(drainStartedSchema, 'Accepted: GET the same address to see how it goes.'),
          ...problems(...BODY_PROBLEMS, 404, 409),
        },
      }),
      async (c) => {
        const { name: host } = c.req.valid('param');
        const options = c.req.valid('json');
        const actor = c.get('actor');
        await db.transaction(async (tx) => {
          const { service, external } = await lockHost(tx, host, 'update');
          if (service === 'drained' && (await livingReplicaIds(tx, host)).length === 0)
            throw conflict('host', host, 'is drained already; uncordon it to let it take work again');
          if (external)
            throw conflict('host', host, 'is external: its engines are not ours to drain; take its endpoints away or delete it');
          await changeHostService(tx, host, 'cordoned', `a drain was asked for by ${actor}`);
          await recordAudit(tx, {
            actor,
            action: 'drain',
            kind: 'hosts',
            name: host,
            before: { service },
            after: { service: 'cordoned', ...options },
          });
          await actions.startDrain(host, actor, options);
        });
        const location = `/api/v1/hosts/${host}/drain`;
        return c.json({ host, workflowId: workflowIds.drain(host) }, 202, { location });
      },
    )
    .openapi(
      createRoute({
        method: 'get',
        path: '/{name}/drain',
        access: { role: 'viewer' },
        tags,
        summary: 'How the newest drain of a host stands',
        request: params,
        responses: { 200: jsonContent(drainSchema, 'The drain.'), ...problems(404) },
      }),
      async (c) => {
        const host = await readHost(db, c.req.valid('param').name);
        const known = await actions.drainStatus(host.name);
        if (known?.running) {
          // Of this moment: the workflow itself looks less often the longer it waits.
          const open = await openRequestsOn(db, known.status.remaining);
          return c.json(presentDrain(true, { ...known.status, open }), 200);
        }
        if (known) return c.json(presentDrain(false, known.status), 200);
        return c.json(storedDrain(host), 200);
      },
    )
    .openapi(
      createRoute({
        method: 'post',
        path: '/{name}/uncordon',
        access: { role: 'operator' },
        tags,
        summary: 'Let a host take work again',
        description: 'A drain that is running is cancelled: what has moved stays moved.',
        request: params,
        responses: { 200: jsonContent(hostResourceSchema, 'The host.'), ...problems(404, 409) },
      }),
      async (c) => {
        const { name: host } = c.req.valid('param');
        const actor = c.get('actor');
        const { service } = await readHost(db, host);
        await db.transaction(async (tx) => {
          await recordAudit(tx, {
            actor,
            action: 'uncordon',
            kind: 'hosts',
            name: host,
            before: { service },
            after: { service: 'schedulable' },
          });
          // A running drain writes the host's row itself as it ends, so that row must not be held here.
          const cancelled = await actions.cancelDrain(host, actor);
          if (!cancelled) await changeHostService(tx, host, 'schedulable', '');
        });
        return c.json(presentHost(await readHost(db, host)), 200);
      },
    );
}

/** The receipt that the last drain left, where Temporal no longer knows of it. @throws not-found */
function storedDrain({ name, reason, drain }: HostRow): Drain {
  if (!drain) throw notFound('drain of host', name);
  const receipt = drain as DrainReceipt;
  return presentDrain(false, { ...NO_DRAIN, host: name, phase: 'drained', reason, planId: receipt.planId, receipt });
}

function presentDrain(running: boolean, { deadlineMs, ...status }: DrainStatus): Drain {
  const deadlineAt = deadlineMs === null ? null : new Date(deadlineMs).toISOString();
  return { ...status, deadlineAt, workflowId: workflowIds.drain(status.host), running };
}
