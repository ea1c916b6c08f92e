/** What a pilot of one deployment comes to. */
import { z } from '@hono/zod-openapi';
import { deploymentModeSchema } from '../../core/domain/deployment.ts';
import { timeSchema } from './common.ts';
import { proposalResourceSchema } from './proposals.ts';
import { faredSchema } from './what-if.ts';

const share = z.number().nullable();
const money = z.object({
  replicas: z.number().int(),
  usdPerHour: z.number().nullable().openapi({ description: 'null where an accelerator has no price.' }),
});

export const pilotReportSchema = z
  .object({
    deployment: z.string(),
    mode: deploymentModeSchema,
    modeSince: timeSchema,
    from: timeSchema,
    until: timeSchema,
    observed: z.number().int().openapi({ description: 'Requests accepted in that time of which a record had come.' }),
    answered: z.number().int().openapi({ description: 'Of them, those with a complete answer.' }),
    cancelled: z.number().int().openapi({ description: 'Of them, those that their client gave up: they are not judged.' }),
    replayed: z.number().int().openapi({ description: 'Of them, those that were replayed: all, or a sample of many.' }),
    counted: z.number().int().openapi({
      description: 'Those that attainment rests on: replayed, and neither cancelled nor at an edge of a sampled stretch.',
    }),
    scheduler: z.string().openapi({ description: 'By which `auto` mode would have scheduled them: as live gateways do.' }),
    policies: z.array(
      z.object({
        policy: z.string(),
        targetAttainment: z.number(),
        requests: z.number().int(),
        observed: share.openapi({ description: 'Share that met every target, as measured.' }),
        now: share.openapi({ description: 'The same requests replayed as they are scheduled in the present mode.' }),
        wouldBe: share.openapi({ description: 'Replayed as `auto` mode would have scheduled them, on the same replicas.' }),
        margin: share.openapi({ description: 'Half of the 95 % interval of `observed` by chance alone.' }),
        suffices: z.boolean().openapi({ description: 'Whether there are enough requests to go by.' }),
      }),
    ),
    latencies: z
      .object({ observed: faredSchema, now: faredSchema, wouldBe: faredSchema })
      .nullable()
      .openapi({ description: 'null where nothing was replayed.' }),
    money: z
      .object({ now: money, wouldBe: money })
      .openapi({ description: 'Of replicas that serve; `wouldBe` is that of the newest proposal, or as now without one.' }),
    predictions: z.object({
      predicted: z.number().int().openapi({ description: 'Answers of known length whose length was predicted.' }),
      withinP90: z
        .number()
        .int()
        .openapi({ description: 'Those at most as long as their predicted 90th percentile: nine in ten, when it is right.' }),
    }),
    proposals: z.array(proposalResourceSchema).openapi({
      description:
        'Undecided ones, those made or decided in that time, and those not made again yet because they were declined; newest first.',
    }),
    notes: z.array(z.string()),
  })
  .openapi('PilotReport');
export type PilotReport = z.infer<typeof pilotReportSchema>;
