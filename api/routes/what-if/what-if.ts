/** /api/v1/what-if */
import type { z } from '@hono/zod-openapi';
import { UellmError } from '../../../core/domain/errors.ts';
import { checkChange } from '../../../core/simulator/what-if-fleet.ts';
import { costsSince } from '../../../db/queries/cost-reads.ts';
import { loadRoutingTable } from '../../../db/queries/routing.ts';
import { recordedStretches } from '../../../db/queries/what-if-reads.ts';
import type { ApiDependencies } from '../../context.ts';
import type { WhatIf } from '../../schema/index.ts';
import { whatIfInputSchema, whatIfSchema } from '../../schema/what-if.ts';
import { BODY_PROBLEMS, createRoute, jsonBody, jsonContent, newRoutes, problems } from '../route.ts';

/** Replays that may be under way or waiting for each other; each takes seconds of one core. */
const MOST_AT_ONCE = 4;

export function whatIfRoutes({ database: { db }, cost }: ApiDependencies) {
  let underWay = 0;

  return newRoutes().openapi(
    createRoute({
      method: 'post',
      path: '/',
      access: { role: 'viewer' },
      tags: ['cost'],
      summary: 'What a change would have made of the last requests',
      description:
        'Replays the requests of the last hours in the simulator, with the production scheduler and the step-time models of the present ' +
        'replicas: as things are and with the change. Nothing is changed. Where there is nothing to replay, `notes` says so.',
      request: jsonBody(whatIfInputSchema),
      responses: { 200: jsonContent(whatIfSchema, 'Before and after.'), ...problems(...BODY_PROBLEMS) },
    }),
    async (c) => {
      const asked = c.req.valid('json');
      if (underWay >= MOST_AT_ONCE) throw busy();
      underWay++;
      try {
        return c.json(await reckon(asked), 200);
      } finally {
        underWay--;
      }
    },
  );

  async function reckon({ windowSeconds, requests: most, ...change }: z.output<typeof whatIfInputSchema>): Promise<WhatIf> {
    const untilMs = Date.now();
    const fleet = await cost.loadFleet(untilMs);
    checkChange(fleet, change);
    // Of the time before the first replica there is nothing to tell.
    const firstMs = Math.min(...(await costsSince(db)).values());
    const fromMs = Math.min(untilMs - 1, Math.max(untilMs - windowSeconds * 1000, Number.isFinite(firstMs) ? firstMs : 0));
    const { observed, stretches } = await recordedStretches(db, { fromMs, untilMs, most });
    const {
      replicas: routed,
      policies,
      tenants = [],
    } = await db.transaction(loadRoutingTable, {
      isolationLevel: 'repeatable read',
      accessMode: 'read only',
    });
    const tenantWeights = Object.fromEntries(tenants.flatMap(({ name, weight }) => (weight === undefined ? [] : [[name, weight]])));
    const present = { fleet, routed, policies, tenantWeights };
    const answer = await cost.replay({ stretches, observed, present, change });
    return {
      windowSeconds,
      ...answer,
      stretches: answer.stretches.map(({ fromMs: from, untilMs: until, requests }) => ({
        from: new Date(from).toISOString(),
        until: new Date(until).toISOString(),
        requests,
      })),
    };
  }
}

function busy(): UellmError {
  return new UellmError({
    kind: 'unavailable',
    what: 'the replay',
    reason: `${MOST_AT_ONCE} others are under way: again in a few seconds`,
  });
}
