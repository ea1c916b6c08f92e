/** How SLO policies were attained over time, and what is asked for beside it. */
import { z } from '@hono/zod-openapi';
import { timeSchema } from './common.ts';

const window = {
  since: timeSchema.openapi({ description: 'Start of the first step.' }),
  until: timeSchema,
  stepSeconds: z.number().int().openapi({ description: 'Length of a step; at most 100 cover the window.' }),
};

export const sloHistorySchema = z
  .object({
    ...window,
    policies: z.array(
      z.object({
        policy: z.string(),
        targetAttainment: z.number().nullable().openapi({ description: 'What the policy asks for now; null where it no longer exists.' }),
        requests: z.number().int().openapi({ description: 'Those that their client cancelled do not count.' }),
        missed: z.number().int().openapi({ description: 'Requests that missed a target.' }),
        errorBudget: z
          .object({
            allowed: z.number().openapi({ description: 'Requests of the window that may miss.' }),
            remaining: z.number().openapi({ description: 'Share of those that is left; below 0 where more missed than may.' }),
          })
          .nullable()
          .openapi({ description: 'null without a target, or where no request may miss.' }),
        burnRates: z
          .object({
            lastHour: z.number().nullable(),
            lastSixHours: z.number().nullable(),
          })
          .openapi({ description: 'How many times as fast as allowed the budget is spent, whatever the window; null where nothing says.' }),
        steps: z.array(z.object({ startsAt: timeSchema, requests: z.number().int(), attained: z.number().int() })).openapi({
          description: 'Oldest first; steps without requests are left out.',
        }),
      }),
    ),
  })
  .openapi('SloHistory');
export type SloHistory = z.infer<typeof sloHistorySchema>;
export type PolicyHistory = SloHistory['policies'][number];

const lengthsSchema = z
  .object({
    requests: z.number().int(),
    p50: z.number().nullable(),
    p90: z.number().nullable(),
    p99: z.number().nullable(),
    buckets: z.array(z.object({ fromTokens: z.number().int(), belowTokens: z.number().int(), requests: z.number().int() })).openapi({
      description: 'Two to an octave, without gaps; empty without requests.',
    }),
  })
  .openapi('Lengths');
export type Lengths = z.infer<typeof lengthsSchema>;

export const queryDistributionSchema = z
  .object({
    ...window,
    arrivals: z.array(z.object({ startsAt: timeSchema, requests: z.number().int() })).openapi({
      description: 'Requests accepted in each step, oldest first; steps without requests are left out.',
    }),
    sampled: z.number().int().openapi({ description: 'Requests that the lengths are of: the newest of the window, at most 20,000.' }),
    inputTokens: lengthsSchema,
    outputTokens: lengthsSchema.openapi({ description: 'Of answers that came to their end.' }),
    predictions: z
      .array(
        z.object({
          fromTokens: z.number().int(),
          belowTokens: z.number().int(),
          requests: z.number().int(),
          meanPredictedP50: z.number(),
          meanPredictedP90: z.number(),
          actualP10: z.number(),
          actualP50: z.number(),
          actualP90: z.number(),
          shareBelowP90: z.number().openapi({ description: 'Of the answers, no longer than their predicted p90: 0.9 is right.' }),
        }),
      )
      .openapi({ description: 'Answers in groups by their predicted median (tokens), beside how long they were.' }),
  })
  .openapi('QueryDistribution');
export type QueryDistribution = z.infer<typeof queryDistributionSchema>;
