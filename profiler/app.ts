/** The routes of the profiler service. */
import { Hono } from 'hono';
import { bodyLimit } from 'hono/body-limit';
import { HTTPException } from 'hono/http-exception';
import type { Logger } from 'pino';
import type { z } from 'zod';
import { messageOf } from '../core/domain/errors.ts';
import { parseInput } from '../core/domain/validate.ts';
import { predictOutput } from '../core/profiler/predict.ts';
import { reportScores } from '../core/profiler/scores.ts';
import { profileShapes } from '../core/profiler/shapes.ts';
import type { Database } from '../db/client.ts';
import { queryTrouble } from '../db/outage.ts';
import { insertObservations } from '../db/queries/observations.ts';
import { stepTimeProfiles } from '../db/queries/profiler.ts';
import { requireAccess } from './access.ts';
import type { ProfilerMetrics } from './metrics.ts';
import { ofHttp, problemOf } from './problems.ts';
import { observeBodySchema, predictBodySchema, profileBodySchema, recalibrateBodySchema } from './schemas.ts';
import type { Trainer } from './trainer.ts';

const MAX_BODY_BYTES = 8 * 1024 * 1024;

export interface AppParts {
  db: Database;
  trainer: Trainer;
  metrics: ProfilerMetrics;
  logger: Logger;
  apiKeys: readonly string[];
  /** All of this machine gets in without a key. */
  open: boolean;
}

export function createApp({ db, trainer, metrics, logger, apiKeys, open }: AppParts): Hono {
  const app = new Hono();
  app.notFound((c) => ofHttp(c, 404, `there is no ${c.req.method} ${c.req.path}`));
  app.onError((error, c) => {
    const answer = problemOf(error, c);
    if (answer.status >= 500) logger.error({ reason: queryTrouble(error), path: c.req.path }, 'request failed');
    return answer;
  });

  app.get('/healthz', (c) => c.json({ status: 'ok' }));
  app.get('/readyz', (c) => {
    const trouble = trainer.trouble();
    return trouble ? ofHttp(c, 503, `${trouble.reason}; predictions go on by the last snapshot`) : c.json({ status: 'ready' });
  });
  app.get('/metrics', async (c) => c.body(await metrics.registry.metrics(), 200, { 'content-type': metrics.registry.contentType }));

  app.use('/v1/*', requireAccess({ apiKeys, open }, db));
  app.use('/v1/*', bodyLimit({ maxSize: MAX_BODY_BYTES, onError: (c) => ofHttp(c, 413, `a body of at most ${MAX_BODY_BYTES} bytes`) }));

  app.post('/v1/predict', async (c) => {
    const features = await bodyOf(c.req.raw, predictBodySchema, 'prediction request');
    const snapshot = trainer.snapshot();
    metrics.predictions.inc();
    return c.json({ ...predictOutput(snapshot, features), snapshotVersion: snapshot.version });
  });

  app.post('/v1/observe', async (c) => {
    const { observations } = await bodyOf(c.req.raw, observeBodySchema, 'observations');
    const inserted = await insertObservations(db, observations);
    return c.json({ inserted, duplicates: observations.length - inserted }, 202);
  });

  app.post('/v1/recalibrate', async (c) => {
    const { correctionId, ...recalibration } = await bodyOf(c.req.raw, recalibrateBodySchema, 'recalibration');
    return c.json({ version: await trainer.recalibrate(recalibration, correctionId) });
  });

  app.post('/v1/profile', async (c) => {
    const { shape, accelerators } = await bodyOf(c.req.raw, profileBodySchema, 'profile request');
    const calibrated = await stepTimeProfiles(db);
    return c.json({ profiles: profileShapes(shape, accelerators, calibrated) });
  });

  app.get('/v1/snapshot', (c) => c.json(trainer.snapshot()));

  app.get('/v1/status', (c) => {
    const snapshot = trainer.snapshot();
    return c.json({
      version: snapshot.version,
      trainedThroughId: snapshot.trainedThroughId,
      observations: snapshot.shared.observations,
      trains: trainer.trains(),
      database: trainer.trouble()?.isOutage ? 'away' : 'up',
      trouble: trainer.trouble()?.reason ?? null,
      scores: reportScores(snapshot),
    });
  });
  return app;
}

async function bodyOf<S extends z.ZodType>(request: Request, schema: S, what: string): Promise<z.output<S>> {
  const text = await request.text();
  let body: unknown;
  try {
    body = JSON.parse(text);
  } catch (error) {
    throw new HTTPException(400, { message: `the request body is not JSON: ${messageOf(error)}` });
  }
  return parseInput(schema, body, what);
}
