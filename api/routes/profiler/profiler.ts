/** /api/v1/profiler: served from Postgres, whether the profiler runs or not. */
import { z } from '@hono/zod-openapi';
import { recordAudit } from '../../../db/queries/audit.ts';
import { lengthCalibration, QUANTILES } from '../../../db/queries/calibration.ts';
import { countObservationsAfter } from '../../../db/queries/observations.ts';
import { listSnapshotRecords, readSnapshotRecord, rollbackSnapshot, type SnapshotRecord } from '../../../db/queries/profiler.ts';
import type { ApiDependencies } from '../../context.ts';
import { timeFilter, windowSeconds } from '../../schema/common.ts';
import type { ProfilerSnapshotResource } from '../../schema/index.ts';
import {
  profilerCalibrationSchema,
  profilerRollbackSchema,
  profilerScoresSchema,
  profilerSnapshotListSchema,
  profilerSnapshotResourceSchema,
  profilerStatusSchema,
} from '../../schema/profiler.ts';
import { pageRequest } from '../cursor.ts';
import { BODY_PROBLEMS, createRoute, jsonBody, jsonContent, listAnswer, listQuery, newRoutes, problems } from '../route.ts';

const tags = ['profiler'];
const HISTORY = 10;
const MOST_COUNTED = 10_000;
const calibrationQuery = z.strictObject({
  windowSeconds: windowSeconds(86_400, 7 * 86_400, 'Answers to requests of so long are looked at.'),
});
const versionParam = z.object({
  version: z.coerce
    .number()
    .int()
    .min(1)
    .max(2 ** 31 - 1),
});

export function profilerRoutes({ database: { db } }: ApiDependencies) {
  return newRoutes()
    .openapi(
      createRoute({
        method: 'get',
        path: '/status',
        access: { role: 'viewer' },
        tags,
        summary: 'How well answers are predicted',
        responses: {
          200: jsonContent(profilerStatusSchema, 'The snapshot in force, its scores, and what was published lately.'),
          ...problems(),
        },
      }),
      async (c) => {
        const { items } = await listSnapshotRecords(db, { limit: HISTORY });
        const history = items.map(presentSnapshot);
        const inForce = history[0] ?? null;
        const waiting = await countObservationsAfter(db, inForce?.trainedThroughId ?? 0, MOST_COUNTED);
        return c.json({ inForce, waiting, history }, 200);
      },
    )
    .openapi(
      createRoute({
        method: 'get',
        path: '/calibration',
        access: { role: 'viewer' },
        tags,
        summary: 'How answers lay in what was predicted for them',
        description:
          'By model, the share of answers no longer than each quantile of the length predicted for them. Quantiles are those of the lognormal ' +
          'distribution through the predicted p50 and p90, with which scheduling reckons.',
        request: { query: calibrationQuery },
        responses: { 200: jsonContent(profilerCalibrationSchema, 'By model.'), ...problems() },
      }),
      async (c) => {
        const { windowSeconds } = c.req.valid('query');
        const found = await lengthCalibration(db, new Date(Date.now() - windowSeconds * 1000));
        const models = found.map(({ shares, ...model }) => ({
          ...model,
          points: shares.flatMap((share, i) => (share === null ? [] : [{ quantile: QUANTILES[i]!, share }])),
        }));
        return c.json({ windowSeconds, models }, 200);
      },
    )
    .openapi(
      createRoute({
        method: 'get',
        path: '/snapshots',
        access: { role: 'viewer' },
        tags,
        summary: 'List published snapshots',
        description: 'Without their weights. The newest fifty are kept, and of older ones the last of each hour and of each day.',
        request: { query: listQuery({ since: timeFilter.optional() }) },
        responses: { 200: jsonContent(profilerSnapshotListSchema, 'Newest first; the first is in force.'), ...problems() },
      }),
      async (c) => {
        const { since, ...page } = c.req.valid('query');
        const found = await listSnapshotRecords(db, pageRequest(page), since === undefined ? undefined : new Date(since));
        return c.json(listAnswer(found, presentSnapshot), 200);
      },
    )
    .openapi(
      createRoute({
        method: 'get',
        path: '/snapshots/{version}',
        access: { role: 'viewer' },
        tags,
        summary: 'Read a snapshot',
        description: 'Without its weights.',
        request: { params: versionParam },
        responses: { 200: jsonContent(profilerSnapshotResourceSchema, 'The snapshot.'), ...problems(404) },
      }),
      async (c) => c.json(presentSnapshot(await readSnapshotRecord(db, c.req.valid('param').version)), 200),
    )
    .openapi(
      createRoute({
        method: 'post',
        path: '/rollback',
        access: { role: 'operator' },
        tags,
        summary: 'Go back to an earlier snapshot',
        description:
          'Publishes it again, as a new version. Learning goes on from there with what comes from now on: what the replaced snapshot had learned ' +
          'from is not learned again.',
        request: jsonBody(profilerRollbackSchema),
        responses: {
          200: jsonContent(profilerSnapshotResourceSchema, 'The new version, in force.'),
          ...problems(...BODY_PROBLEMS, 404, 409),
        },
      }),
      async (c) => {
        const { toVersion } = c.req.valid('json');
        const published = await db.transaction(async (tx) => {
          const rollback = await rollbackSnapshot(tx, toVersion);
          const [before, after] = [{ version: rollback.replaced }, { version: rollback.published.version, toVersion }];
          await recordAudit(tx, { actor: c.get('actor'), action: 'rollback', kind: 'profiler', name: 'snapshots', before, after });
          return rollback.published;
        });
        return c.json(presentSnapshot(published), 200);
      },
    );
}

function presentSnapshot({ createdAt, scores, ...row }: SnapshotRecord): ProfilerSnapshotResource {
  return { ...row, createdAt: createdAt.toISOString(), scores: profilerScoresSchema.safeParse(scores).data ?? null };
}
