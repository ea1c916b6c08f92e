/** What would become of the requests that were observed under another policy, at another price, on another fleet. */
import { z } from '@hono/zod-openapi';
import { acceleratorKindSchema } from '../../core/domain/accelerators.ts';
import { deploymentModeSchema } from '../../core/domain/deployment.ts';
import { hostSpecSchema } from '../../core/domain/fleet.ts';
import { nameSchema } from '../../core/domain/names.ts';
import { MOST_REPLAY_HOURS } from '../../core/domain/replay-window.ts';
import { sloPolicySchema } from '../../core/domain/slo-policy.ts';
import { timeSchema } from './common.ts';

export const WHAT_IF_LIMITS = { windowSeconds: MOST_REPLAY_HOURS * 3600, requests: 50_000, replicas: 1000 } as const;

const once = (items: readonly { name: string }[]) => new Set(items.map(({ name }) => name)).size === items.length;
const NAMES_DIFFER = 'each name once';

export const whatIfInputSchema = z
  .strictObject({
    windowSeconds: z
      .number()
      .int()
      .min(1)
      .max(WHAT_IF_LIMITS.windowSeconds)
      .default(3600)
      .openapi({ description: 'Requests accepted in the last so many seconds are replayed.' }),
    requests: z
      .number()
      .int()
      .min(1)
      .max(WHAT_IF_LIMITS.requests)
      .default(10_000)
      .openapi({ description: 'At most so many are replayed: of more, contiguous stretches spread over the time.' }),
    policies: z
      .array(sloPolicySchema)
      .max(100)
      .refine(once, NAMES_DIFFER)
      .default([])
      .openapi({ description: 'SLO policies, each in the place of the one of its name, or beside the others.' }),
    prices: z
      .record(acceleratorKindSchema, z.number().nonnegative().max(1e6))
      .default({})
      .openapi({ description: 'USD an hour of one accelerator, by kind; it goes before what hosts declare.' }),
    addHosts: z.array(hostSpecSchema).max(100).refine(once, NAMES_DIFFER).default([]),
    removeHosts: z
      .array(nameSchema)
      .max(1000)
      .default([])
      .openapi({ description: 'Their replicas are placed elsewhere as far as there is room.' }),
    replicas: z
      .record(nameSchema, z.number().int().min(0).max(WHAT_IF_LIMITS.replicas))
      .default({})
      .openapi({ description: 'How many replicas a deployment has.' }),
    modes: z
      .record(nameSchema, deploymentModeSchema)
      .default({})
      .openapi({ description: 'The mode that a deployment has: in `shadow` its requests go in the order of their arrival.' }),
  })
  .openapi('WhatIfInput');
export type WhatIfInput = z.input<typeof whatIfInputSchema>;

const share = z.number().nullable();
const usd = z.number().nullable();
const quantiles = z.object({ p50: z.number(), p90: z.number(), p99: z.number() }).nullable();

const fared = {
  requests: z.number().int().openapi({ description: 'All but those that their client cancelled.' }),
  attainment: share.openapi({ description: 'Share of them that met every target of their policy, 0 to 1.' }),
  ttftMs: quantiles,
  tpotMs: quantiles,
  e2eMs: quantiles,
  waitMs: quantiles.openapi({ description: 'From acceptance to release to an engine.' }),
  unserved: z.number().int().openapi({ description: 'Shed, refused, failed, or without any replica.' }),
};
const money = {
  replicas: z.number().int().openapi({ description: 'Those that serve.' }),
  usdPerHour: usd.openapi({ description: 'Of their accelerators; null where one has no price.' }),
  usdPerThousandRequests: usd,
};
export const faredSchema = z.object(fared).openapi('Fared');
export type Fared = z.infer<typeof faredSchema>;
const deploymentFared = z.object({ ...fared, ...money }).openapi('DeploymentFared');
export type DeploymentFared = z.infer<typeof deploymentFared>;
const policyFared = z
  .object({
    ...fared,
    targetAttainment: z.number(),
    worthUsdPerHour: usd.openapi({ description: "What answers earn less what violations cost, by the policy's `value`." }),
  })
  .nullable()
  .openapi('PolicyFared');
const moneySchema = z.object(money).openapi('WhatIfMoney');
export type WhatIfMoney = z.infer<typeof moneySchema>;

export const whatIfSchema = z
  .object({
    windowSeconds: z.number().int(),
    observed: z.number().int().openapi({ description: 'Requests of that time.' }),
    replayed: z.number().int(),
    counted: z.number().int().openapi({ description: 'Replayed, and neither cancelled nor at an edge of a sampled stretch.' }),
    stretches: z.array(z.object({ from: timeSchema, until: timeSchema, requests: z.number().int() })),
    changes: z.array(z.string()).openapi({ description: 'What differs between before and after.' }),
    deployments: z
      .array(z.object({ deployment: z.string(), observed: faredSchema, before: deploymentFared, after: deploymentFared }))
      .openapi({
        description: '`observed` is what was measured of the same requests: how far `before` is from it is how far the model is off.',
      }),
    policies: z
      .array(z.object({ policy: z.string(), observed: faredSchema.nullable(), before: policyFared, after: policyFared }))
      .openapi({ description: 'null where no request falls under it.' }),
    totals: z.object({ before: moneySchema, after: moneySchema }),
    scheduler: z.string().openapi({
      description: 'By which both replays scheduled what is not in shadow mode: as live gateways do; `notes` says where they differ.',
    }),
    notes: z.array(z.string()),
  })
  .openapi('WhatIf');
export type WhatIf = z.infer<typeof whatIfSchema>;

export const whatIfProgressSchema = z
  .object({ arrived: z.number().int(), of: z.number().int() })
  .openapi('WhatIfProgress', { description: 'Requests that have arrived in the replay, of both replays together.' });
export type WhatIfProgress = z.infer<typeof whatIfProgressSchema>;
