/** /api/v1/schedules */
import { z } from '@hono/zod-openapi';
import { notFound } from '../../../core/domain/errors.ts';
import { recordAudit } from '../../../db/queries/audit.ts';
import type { Schedule, ScheduleChange, ScheduleName } from '../../actions.ts';
import type { ApiDependencies } from '../../context.ts';
import { scheduleInputSchema, scheduleNameSchema, scheduleSchema } from '../../schema/cluster.ts';
import type { ScheduleResource } from '../../schema/index.ts';
import { BODY_PROBLEMS, createRoute, jsonBody, jsonContent, newRoutes, problems } from '../route.ts';

const tags = ['schedules'];
const params = z.object({ name: scheduleNameSchema });

export function scheduleRoutes({ database: { db }, actions }: ApiDependencies) {
  /** The row of the audit trail stands and falls with the change. */
  const change = async (actor: string, name: ScheduleName, to: ScheduleChange): Promise<ScheduleResource> =>
    db.transaction(async (tx) => {
      const before = (await actions.schedules()).find((schedule) => schedule.name === name);
      await recordAudit(tx, { actor, action: 'change', kind: 'schedules', name, before, after: to });
      return presentSchedule(await actions.changeSchedule(name, to));
    });
  return newRoutes()
    .openapi(
      createRoute({
        method: 'get',
        path: '/',
        access: { role: 'viewer' },
        tags,
        summary: 'What runs by itself, and how often',
        responses: { 200: jsonContent(z.object({ items: z.array(scheduleSchema) }), 'The schedules.'), ...problems() },
      }),
      async (c) => c.json({ items: (await actions.schedules()).map(presentSchedule) }, 200),
    )
    .openapi(
      createRoute({
        method: 'get',
        path: '/{name}',
        access: { role: 'viewer' },
        tags,
        summary: 'One schedule',
        request: { params },
        responses: { 200: jsonContent(scheduleSchema, 'The schedule.'), ...problems(404) },
      }),
      async (c) => {
        const { name } = c.req.valid('param');
        const found = (await actions.schedules()).find((s) => s.name === name);
        if (!found) throw notFound('schedule', name);
        return c.json(presentSchedule(found), 200);
      },
    )
    .openapi(
      createRoute({
        method: 'patch',
        path: '/{name}',
        access: { role: 'operator' },
        tags,
        summary: 'Change a schedule, pause it, let it go on',
        description: 'What is not named stays as it is. It holds over every restart.',
        request: { params, ...jsonBody(scheduleInputSchema) },
        responses: { 200: jsonContent(scheduleSchema, 'The schedule as it is now.'), ...problems(...BODY_PROBLEMS, 404) },
      }),
      async (c) => c.json(await change(c.get('actor'), c.req.valid('param').name, c.req.valid('json')), 200),
    )
    .openapi(
      createRoute({
        method: 'put',
        path: '/{name}',
        access: { role: 'operator' },
        tags,
        summary: 'Set a schedule as a whole',
        description: 'What is not named is as at first: not paused, without a note.',
        request: { params, ...jsonBody(scheduleInputSchema) },
        responses: { 200: jsonContent(scheduleSchema, 'The schedule as it is now.'), ...problems(...BODY_PROBLEMS, 404) },
      }),
      async (c) => {
        const { paused = false, note = '', ...rest } = c.req.valid('json');
        return c.json(await change(c.get('actor'), c.req.valid('param').name, { ...rest, paused, note }), 200);
      },
    );
}

function presentSchedule({ lastRunAt, nextRunAt, ...schedule }: Schedule): ScheduleResource {
  return { ...schedule, lastRunAt: lastRunAt?.toISOString() ?? null, nextRunAt: nextRunAt?.toISOString() ?? null };
}
