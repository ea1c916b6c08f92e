/** /healthz: the process answers. /readyz: so does what it depends on. */
import { createRoute, OpenAPIHono, z } from '@hono/zod-openapi';
import { messageOf } from '../core/domain/errors.ts';
import type { DatabaseConnection } from '../db/client.ts';
import type { WorkflowActions } from './actions.ts';

const CHECK_TIMEOUT_MS = 3000;

const readinessSchema = z
  .object({ ready: z.boolean(), checks: z.record(z.string(), z.string().openapi({ description: '`ok`, or what is wrong.' })) })
  .openapi('Readiness');
const content = { 'application/json': { schema: readinessSchema } };
const tags = ['health'];

export function healthRoutes({ database, actions }: { database: DatabaseConnection; actions: WorkflowActions }) {
  return new OpenAPIHono()
    .openapi(
      createRoute({
        method: 'get',
        path: '/healthz',
        tags,
        summary: 'Is the API alive?',
        responses: { 200: { description: 'It is.', content: { 'application/json': { schema: z.object({ status: z.literal('ok') }) } } } },
      }),
      (c) => c.json({ status: 'ok' as const }, 200),
    )
    .openapi(
      createRoute({
        method: 'get',
        path: '/readyz',
        tags,
        summary: 'Do Postgres and Temporal answer?',
        responses: { 200: { description: 'Both do.', content }, 503: { description: 'One does not.', content } },
      }),
      async (c) => {
        const [postgres, temporal] = await Promise.all([check(database.pool.query('select 1')), check(actions.ping())]);
        const ready = postgres === 'ok' && temporal === 'ok';
        return c.json({ ready, checks: { postgres, temporal } }, ready ? 200 : 503);
      },
    );
}

async function check(answer: Promise<unknown>): Promise<string> {
  const late = new Promise<never>((_, reject) => {
    setTimeout(() => reject(new Error(`no answer within ${CHECK_TIMEOUT_MS / 1000} s`)), CHECK_TIMEOUT_MS).unref();
  });
  return Promise.race([answer, late]).then(
    () => 'ok',
    (error) => messageOf(error),
  );
}
