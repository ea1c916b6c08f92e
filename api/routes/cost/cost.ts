/** /api/v1/cost */
import { z } from '@hono/zod-openapi';
import { costsSince, policyTraffic } from '../../../db/queries/cost-reads.ts';
import { readDeployment } from '../../../db/queries/deployments.ts';
import { allPolicies } from '../../../db/queries/planning-reads.ts';
import type { ApiDependencies } from '../../context.ts';
import { textFilter, windowSeconds } from '../../schema/common.ts';
import { costSchema } from '../../schema/cost.ts';
import type { Cost } from '../../schema/index.ts';
import { createRoute, jsonContent, newRoutes, problems } from '../route.ts';
import { createSharedRuns } from './shared-runs.ts';

const DEFAULT_WINDOW_SECONDS = 3600;
const MAX_WINDOW_SECONDS = 7 * 86_400;
const DEFAULT_TPOT_MS = [30, 50, 100];
const MOST_LEVELS = 10;

const MOST_MS = 86_400_000;

const levelsOf = (text: string) => (text === '' ? [] : text.split(',').map(Number));
const tpotMs = z
  .string()
  .refine(
    (text) => levelsOf(text).length <= MOST_LEVELS && levelsOf(text).every((ms) => ms > 0 && ms <= MOST_MS),
    `at most ${MOST_LEVELS} numbers of ms above 0, with commas between them`,
  )
  .transform(levelsOf);

const query = z.strictObject({
  deployment: textFilter.optional().openapi({ description: 'Only this one; totals stay those of the fleet.' }),
  tpotMs: tpotMs
    .default(DEFAULT_TPOT_MS)
    .openapi({ type: 'string', example: '30,50,100', description: 'Levels of TPOT at which to price the SLO, beside its own; ms.' }),
  windowSeconds: windowSeconds(DEFAULT_WINDOW_SECONDS, MAX_WINDOW_SECONDS, 'Requests of so long are looked at.'),
});

export function costRoutes({ database: { db }, cost }: ApiDependencies) {
  const shared = createSharedRuns<Cost>();

  return newRoutes().openapi(
    createRoute({
      method: 'get',
      path: '/',
      access: { role: 'viewer' },
      tags: ['cost'],
      summary: 'What serving costs, and what an SLO costs',
      description:
        'Money per hour, per thousand requests and per million tokens of each deployment and SLO policy as they are; and the least money ' +
        'for which the demand of each deployment could be served at other TPOT targets. A kind of accelerator without a price makes the ' +
        'money of whoever holds it null, and is named in `refusals`.',
      request: { query },
      responses: { 200: jsonContent(costSchema, 'The cost.'), ...problems(404) },
    }),
    async (c) => {
      const asked = c.req.valid('query');
      // Pages that look at the same all the time must not keep more than one reckoning busy.
      const answer = await shared(JSON.stringify(asked), () => reckon(asked));
      // One that is declared and has nothing yet costs nothing; a name that nobody declared is a mistake.
      if (asked.deployment !== undefined && answer.deployments.length === 0) await readDeployment(db, asked.deployment);
      return c.json(answer, 200);
    },
  );

  async function reckon({ deployment, tpotMs, windowSeconds }: z.output<typeof query>): Promise<Cost> {
    const nowMs = Date.now();
    const windowStartMs = nowMs - windowSeconds * 1000;
    const young = [...(await costsSince(db))].filter(([, sinceMs]) => sinceMs > windowStartMs);
    const input = {
      ...(await cost.loadFleet(nowMs)),
      policies: await allPolicies(db),
      traffic: await policyTraffic(db, new Date(windowStartMs)),
      windowSeconds,
      // Of less than a second, traffic says nothing.
      youngSeconds: Object.fromEntries(young.map(([name, sinceMs]) => [name, Math.max(1, (nowMs - sinceMs) / 1000)])),
    };
    return { windowSeconds, ...(await cost.reckon({ input, deployment, tpotMs })) };
  }
}
