/** What serving costs now, and what an SLO costs. Money is USD; null where it is not known, which is never zero. */
import { z } from '@hono/zod-openapi';
import { demandSchema } from '../../core/domain/deployment.ts';
import { refusalSchema } from '../../core/domain/refusal.ts';
import { sloTargetsSchema } from '../../core/domain/slo-policy.ts';

const usd = z.number().nullable();

const unitCosts = {
  usdPerThousandRequests: usd.openapi({
    description: 'Per thousand answered requests; null where a price is unknown or nothing was answered.',
  }),
  usdPerMillionTokens: usd.openapi({ description: 'Input and output tokens of answered requests together.' }),
  usdPerMillionOutputTokens: usd,
};

export const deploymentCostSchema = z
  .object({
    deployment: z.string(),
    simulated: z.boolean().openapi({ description: 'All of its replicas are imitations: so is the money.' }),
    replicas: z.number().int().openapi({ description: 'Those that hold accelerators, whether or not they serve yet.' }),
    accelerators: z.array(z.object({ kind: z.string(), count: z.number().int() })),
    usdPerHour: usd.openapi({ description: 'Accelerators held, times their price; null where one of them has none.' }),
    unpriced: z.array(z.string()).openapi({ description: 'Kinds among its accelerators that have no price.' }),
    observedSeconds: z.number().openapi({ description: 'Of the window, since its first replica.' }),
    requestsPerSecond: z.number().openapi({ description: 'All that arrived.' }),
    answeredPerSecond: z.number(),
    capacityRequestsPerSecond: z.number().nullable().openapi({ description: 'What its ready replicas can serve within its targets.' }),
    utilisation: z.number().nullable().openapi({ description: 'Arrivals over capacity; above 1 more comes than can be served in time.' }),
    ...unitCosts,
  })
  .openapi('DeploymentCost');
export type DeploymentCostItem = z.infer<typeof deploymentCostSchema>;

export const policyCostSchema = z
  .object({
    policy: z.string(),
    deployment: z.string(),
    requests: z.number().int(),
    share: z
      .number()
      .nullable()
      .openapi({ description: "Of its deployment's time on engines, 0 to 1, and so of its money; null where no time was recorded." }),
    usdPerHour: usd,
    usdPerThousandRequests: usd,
    attainment: z.number().nullable().openapi({ description: 'Share of the requests that met every target, 0 to 1.' }),
    targetAttainment: z.number().nullable(),
    value: z
      .object({ usdPerRequest: z.number(), usdPerViolation: z.number(), usdPerHour: z.number() })
      .nullable()
      .openapi({ description: 'What the policy declares, and what the answers come to less the violations; null where it declares none.' }),
  })
  .openapi('PolicyCost');
export type PolicyCostItem = z.infer<typeof policyCostSchema>;

const moneySchema = z.object({
  accelerators: z.number().int(),
  usdPerHour: usd.openapi({ description: 'null where any of them has no price.' }),
  pricedUsdPerHour: z.number().openapi({ description: 'Of those that have one.' }),
});

export const sloPriceSchema = z
  .object({
    targets: sloTargetsSchema.nullable(),
    own: z.boolean().openapi({ description: 'These are the targets that its policies set now.' }),
    usdPerHour: usd.openapi({
      description:
        "The least that serves the demand, on as many accelerators of the fleet's kinds as it takes; null where `refusal` says why.",
    }),
    usdPerThousandRequests: usd,
    replicas: z.array(
      z.object({ count: z.number().int(), acceleratorKind: z.string(), tensorParallel: z.number().int(), usdPerHour: z.number() }),
    ),
    refusal: refusalSchema.nullable(),
    presentFleet: z
      .object({ holds: z.boolean(), usdPerHour: usd, refusal: refusalSchema.nullable() })
      .openapi({ description: 'The same on the accelerators that the deployment has and those that nobody holds.' }),
  })
  .openapi('SloPrice');
export type SloPriceItem = z.infer<typeof sloPriceSchema>;

export const deploymentSloPricesSchema = z
  .object({
    deployment: z.string(),
    demand: demandSchema.extend({}).openapi({ description: 'What is planned for: the forecast, its margin for bursts included.' }),
    levels: z.array(sloPriceSchema).openapi({ description: 'The tightest TPOT first.' }),
  })
  .openapi('DeploymentSloPrices');
export type DeploymentSloPricesItem = z.infer<typeof deploymentSloPricesSchema>;

export const costSchema = z
  .object({
    windowSeconds: z.number().int(),
    deployments: z.array(deploymentCostSchema),
    policies: z.array(policyCostSchema).openapi({ description: 'By deployment, then policy; those that had requests.' }),
    idle: z
      .array(z.object({ kind: z.string(), count: z.number().int(), hosts: z.number().int(), usdPerHour: usd }))
      .openapi({ description: 'Accelerators that no replica holds, hosts that take no work among them, external ones not.' }),
    totals: z.object({ held: moneySchema, idle: moneySchema, requestsPerSecond: z.number(), ...unitCosts }).openapi({
      description: 'Of the whole fleet, whichever deployment is asked for; money per unit is that of held accelerators.',
    }),
    sloPrices: z.array(deploymentSloPricesSchema).openapi({ description: 'By deployment; those that serve.' }),
    refusals: z.array(refusalSchema).openapi({ description: 'Kinds of accelerators that have no price, and where they are.' }),
  })
  .openapi('Cost');
export type Cost = z.infer<typeof costSchema>;
