/** The profiler as Postgres knows it: its published snapshots, without their weights. */
import { z } from '@hono/zod-openapi';
import { listOf, timeSchema } from './common.ts';

export const profilerScoreSchema = z
  .object({
    observations: z.number().int().openapi({ description: 'Answers that were scored, each before it was learned from.' }),
    maeTokens: z
      .number()
      .nullable()
      .openapi({ description: 'Mean absolute error of the predicted median, tokens; over about the last 2,000.' }),
    maeConstantMedianTokens: z.number().nullable().openapi({ description: 'The same error for a constant median.' }),
    coverage90: z.number().nullable().openapi({ description: 'Share of answers no longer than the predicted p90, 0 to 1.' }),
  })
  .openapi('ProfilerScore');
export type ProfilerScore = z.infer<typeof profilerScoreSchema>;

export const profilerScoresSchema = z.object({ all: profilerScoreSchema, models: z.record(z.string(), profilerScoreSchema) });
export type ProfilerScores = z.infer<typeof profilerScoresSchema>;

export const profilerSnapshotResourceSchema = z
  .object({
    version: z.number().int(),
    createdAt: timeSchema,
    reason: z
      .string()
      .openapi({ description: 'Why it was published; empty in snapshots of earlier releases.', example: 'rolled back to version 7' }),
    basedOn: z.number().int().nullable().openapi({ description: 'The version that it came from.' }),
    trainedThroughId: z.number().int().openapi({ description: 'Id of the last observation that it has learned from.' }),
    scores: profilerScoresSchema.nullable().openapi({ description: 'null where another release wrote them.' }),
  })
  .openapi('ProfilerSnapshot');
export type ProfilerSnapshotResource = z.infer<typeof profilerSnapshotResourceSchema>;

export const profilerSnapshotListSchema = listOf(profilerSnapshotResourceSchema, 'ProfilerSnapshotList');

export const profilerStatusSchema = z
  .object({
    inForce: profilerSnapshotResourceSchema
      .nullable()
      .openapi({ description: 'null before the first snapshot: predictions are published constants.' }),
    waiting: z.number().int().openapi({ description: 'Observations that it has not learned from yet; counted up to 10,000.' }),
    history: z.array(profilerSnapshotResourceSchema).openapi({ description: 'The last ten, newest first, the one in force among them.' }),
  })
  .openapi('ProfilerStatus');
export type ProfilerStatus = z.infer<typeof profilerStatusSchema>;

export const profilerCalibrationSchema = z
  .object({
    windowSeconds: z.number().int(),
    models: z.array(
      z.object({
        model: z.string(),
        answers: z.number().int().openapi({ description: 'Predicted, measured, and free to be as long as they would.' }),
        limited: z.number().int().openapi({ description: 'Left out: their own limit lies below the predicted p90.' }),
        points: z
          .array(z.object({ quantile: z.number(), share: z.number() }))
          .openapi({ description: 'Share of the answers no longer than each predicted quantile; equal where predictions are calibrated.' }),
      }),
    ),
  })
  .openapi('ProfilerCalibration');
export type ProfilerCalibration = z.infer<typeof profilerCalibrationSchema>;

export const profilerRollbackSchema = z
  .strictObject({
    toVersion: z
      .number()
      .int()
      .min(1)
      .max(2 ** 31 - 1),
  })
  .openapi('ProfilerRollback');
