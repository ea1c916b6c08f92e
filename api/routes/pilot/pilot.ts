/** GET /api/v1/deployments/{name}/pilot */
import { z } from '@hono/zod-openapi';
import { MOST_REPLAY_HOURS } from '../../../core/domain/replay-window.ts';
import { pilotResult } from '../../../core/simulator/pilot.ts';
import { newReplayWatch } from '../../../core/simulator/replay-watch.ts';
import { NO_CHANGE } from '../../../core/simulator/what-if-change.ts';
import { readDeployment } from '../../../db/queries/deployments.ts';
import { proposalsSince } from '../../../db/queries/proposals.ts';
import { countRequests, recordedStretches } from '../../../db/queries/what-if-reads.ts';
import type { ApiDependencies } from '../../context.ts';
import type { PilotReport } from '../../schema/index.ts';
import { pilotReportSchema } from '../../schema/pilot.ts';
import { nameParam } from '../declared.ts';
import { presentProposal } from '../proposals/proposals.ts';
import { createRoute, jsonContent, newRoutes, problems } from '../route.ts';
import { loadPresent, type Replays, SNAPSHOT } from '../what-if/replays.ts';

const HOUR_MS = 3_600_000;
/** Of more requests, stretches spread over the time are replayed. */
const MOST_REQUESTS = 10_000;
const MOST_PROPOSALS = 50;

const query = z.strictObject({
  hours: z.coerce.number().positive().max(MOST_REPLAY_HOURS).default(24).openapi({ description: 'So many hours back.' }),
});

export function pilotRoutes({ database: { db }, cost }: ApiDependencies, replays: Replays) {
  return newRoutes().openapi(
    createRoute({
      method: 'get',
      path: '/{name}/pilot',
      access: { role: 'viewer' },
      tags: ['deployments'],
      summary: 'What a pilot of it comes to',
      description:
        'Replays its last requests in the simulator, as they are scheduled in its mode and as in `auto` mode, on its present replicas; with what ' +
        'the planner proposes or would have proposed. Where too few requests were observed, `notes` says so.',
      request: { params: nameParam, query },
      responses: { 200: jsonContent(pilotReportSchema, 'As it is, and as it would be.'), ...problems(404) },
    }),
    async (c) => c.json(await replays(() => report(c.req.valid('param').name, c.req.valid('query').hours)), 200),
  );

  async function report(name: string, hours: number): Promise<PilotReport> {
    const { spec, modeSince } = await readDeployment(db, name);
    const untilMs = Date.now();
    const fromMs = Math.round(untilMs - hours * HOUR_MS);
    const window = { fromMs, untilMs, deployment: name };
    const { observed, stretches, counts } = await db.transaction(
      async (tx) => ({
        ...(await recordedStretches(tx, { ...window, most: MOST_REQUESTS })),
        counts: await countRequests(tx, window),
      }),
      SNAPSHOT,
    );
    const { answered, cancelled, ...predictions } = counts;
    const present = await loadPresent(db, await cost.loadFleet(untilMs));
    const answer = await cost.replay(
      { stretches, observed, present, change: { ...NO_CHANGE, modes: { [name]: 'auto' } } },
      newReplayWatch(),
    );
    const proposals = await proposalsSince(db, {
      ...{ deployment: name, since: new Date(fromMs), now: new Date(untilMs), most: MOST_PROPOSALS },
    });
    const pending = proposals.find(({ state, kind }) => kind === 'rebalance' && (state === 'noted' || state === 'open'));
    const { mode = 'auto' } = spec;
    const evidence = {
      deployment: name,
      mode,
      modeSinceMs: modeSince.getTime(),
      fromMs,
      present,
      answer,
      proposed: pending?.outlook ?? null,
    };
    return {
      ...{ deployment: name, mode, modeSince: modeSince.toISOString() },
      ...{ from: new Date(fromMs).toISOString(), until: new Date(untilMs).toISOString() },
      ...{ observed, answered, cancelled, replayed: answer.replayed, counted: answer.counted, scheduler: answer.scheduler },
      ...pilotResult(evidence),
      predictions,
      proposals: proposals.map(presentProposal),
    };
  }
}
