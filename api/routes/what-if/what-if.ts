/** /api/v1/what-if */
import type { z } from '@hono/zod-openapi';
import { accepts } from 'hono/accepts';
import { HTTPException } from 'hono/http-exception';
import type { ContentfulStatusCode } from 'hono/utils/http-status';
import { giveUp, isGivenUp, newReplayWatch } from '../../../core/simulator/replay-watch.ts';
import type { WhatIfAnswer, WhatIfQuestion } from '../../../core/simulator/what-if.ts';
import { checkChange } from '../../../core/simulator/what-if-change.ts';
import { costsSince } from '../../../db/queries/cost-reads.ts';
import { recordedStretches } from '../../../db/queries/what-if-reads.ts';
import type { ApiDependencies } from '../../context.ts';
import type { WhatIf } from '../../schema/index.ts';
import { whatIfInputSchema, whatIfProgressSchema, whatIfSchema } from '../../schema/what-if.ts';
import { BODY_PROBLEMS, createRoute, jsonBody, jsonContent, newRoutes, problems } from '../route.ts';
import { streamReplay } from './progress.ts';
import { loadPresent, type Replays, SNAPSHOT } from './replays.ts';

const EVENT_STREAM = 'text/event-stream';
/** As nginx logs it: nobody is there to read the answer. */
const CLIENT_CLOSED_REQUEST = 499 as ContentfulStatusCode;
type Asked = z.output<typeof whatIfInputSchema>;

export function whatIfRoutes({ database: { db }, cost, logger }: ApiDependencies, replays: Replays) {
  return newRoutes().openapi(
    createRoute({
      method: 'post',
      path: '/',
      access: { role: 'viewer' },
      tags: ['cost'],
      summary: 'What a change would have made of the last requests',
      description:
        'Replays the requests of the last hours in the simulator, with the scheduler that the mode of each deployment has and the step-time ' +
        'models of the present replicas: as things are and with the change. Nothing is changed. Where there is nothing to replay, `notes` says so. ' +
        'Who accepts text/event-stream gets `progress` events, then one `answer` or `problem`. To close the connection is to take back the question.',
      request: jsonBody(whatIfInputSchema),
      responses: {
        200: {
          description: 'Before and after.',
          content: { ...jsonContent(whatIfSchema, '').content, [EVENT_STREAM]: { schema: whatIfProgressSchema } },
        },
        ...problems(...BODY_PROBLEMS),
      },
    }),
    async (c) => {
      const asked = c.req.valid('json');
      const watch = newReplayWatch();
      const { signal } = c.req.raw;
      signal.addEventListener('abort', () => giveUp(watch));
      if (signal.aborted) giveUp(watch);
      const unlessTakenBack = (error: unknown) => {
        if (!isGivenUp(watch)) throw error;
        logger.info({ path: c.req.path, method: c.req.method }, 'the client took its question back');
        throw new HTTPException(CLIENT_CLOSED_REQUEST, { message: 'the client took its question back' });
      };
      const answerTo = async (question: WhatIfQuestion) => presented(asked.windowSeconds, await cost.replay(question, watch));
      if (accepts(c, { header: 'Accept', supports: ['application/json', EVENT_STREAM], default: 'application/json' }) !== EVENT_STREAM)
        return c.json(await replays(async () => answerTo(await questionOf(asked))).catch(unlessTakenBack), 200);
      let answer!: Promise<WhatIf>;
      // What is wrong with the question is a problem as everywhere: the stream begins after that.
      const question = await new Promise<WhatIfQuestion>((resolve, reject) => {
        answer = replays(async () => {
          const asking = await questionOf(asked);
          resolve(asking);
          return answerTo(asking);
        });
        answer.catch(reject);
      }).catch(unlessTakenBack);
      const arrivals = 2 * question.stretches.reduce((sum, { requests }) => sum + requests.length, 0);
      return streamReplay(c, { watch, arrivals, answer }, (error) => logger.error({ err: error }, 'a replay failed'));
    },
  );

  async function questionOf({ windowSeconds, requests: most, ...change }: Asked): Promise<WhatIfQuestion> {
    const untilMs = Date.now();
    const fleet = await cost.loadFleet(untilMs);
    checkChange(fleet, change);
    // Of the time before the first replica there is nothing to tell.
    const firstMs = Math.min(...(await costsSince(db)).values());
    const fromMs = Math.min(untilMs - 1, Math.max(untilMs - windowSeconds * 1000, Number.isFinite(firstMs) ? firstMs : 0));
    const { observed, stretches } = await db.transaction((tx) => recordedStretches(tx, { fromMs, untilMs, most }), SNAPSHOT);
    return { stretches, observed, present: await loadPresent(db, fleet), change };
  }
}

function presented(windowSeconds: number, answer: WhatIfAnswer): WhatIf {
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
