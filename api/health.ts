/** /healthz: the process answers. /readyz: so does what it depends on. */
import { createRoute, OpenAPIHono, z } from '@hono/zod-openapi';
import { messageOf } from '../core/domain/errors.ts';
import type { DatabaseConnection } from '../db/client.ts';
import type { WorkflowActions } from './actions.ts';

const CHECK_TIMEOUT_MS = 3000;

const readinessSchema = z
  .object({ ready: z.boolean(), checks: z.record(z.string(), z.string().openapi({ description: '`ok`, or what is wrong.' })) })
  .openapi('Readiness');
export type Readiness = z.infer<typeof readinessSchema>;
const content = { 'application/json': { schema: readinessSchema } };
const tags = ['health'];

interface Dependencies {
  database: DatabaseConnection;
  actions: WorkflowActions;
}

export async function readiness({ database, actions }: Dependencies): Promise<Readiness> {
  const [postgres, temporal] = await Promise.all([check(database.pool.query('select 1')), check(actions.ping())]);
  return { ready: postgres === 'ok' && temporal === 'ok', checks: { postgres, temporal } };
}

export function healthRoutes(dependencies: Dependencies) {
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
        const answer = await readiness(dependencies);
        return c.json(answer, answer.ready ? 200 : 503);
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
