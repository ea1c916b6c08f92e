/** What serving cost over a period, and what it was worth. Money is USD; null where it is not known, which is never zero. */
import { z } from '@hono/zod-openapi';
import { refusalSchema } from '../../core/domain/refusal.ts';
import { timeFilter, timeSchema } from './common.ts';

export const VALUE_REPORT_PARTS = ['line', 'deployment', 'policy', 'tenant'] as const;
export type ValueReportPart = (typeof VALUE_REPORT_PARTS)[number];

export const valueReportQuery = z.strictObject({
  from: timeFilter.optional().openapi({ description: 'Start of the period; 24 hours before its end where absent.' }),
  to: timeFilter.optional().openapi({ description: 'Its end; now where absent, or later than now.' }),
  format: z.enum(['json', 'csv']).optional().openapi({ description: 'Goes before the Accept header.' }),
  by: z
    .enum(VALUE_REPORT_PARTS)
    .default('line')
    .openapi({ description: 'What a row of the CSV is: deployment, policy and tenant together (line), or sums by one of them.' }),
});

const usd = z.number().nullable();
const figures = {
  requests: z.number().int().openapi({ description: 'All that arrived.' }),
  answered: z.number().int(),
  judged: z.number().int().openapi({ description: 'Those with a verdict on their SLO: all but cancelled ones.' }),
  attained: z.number().int(),
  inputTokens: z.number().openapi({ description: 'Of answered requests, as output tokens.' }),
  outputTokens: z.number(),
  acceleratorUsd: usd.openapi({ description: 'null where an accelerator has no price.' }),
  fixedUsd: z.number().openapi({ description: 'The share of what hosts cost beside their accelerators (`fixedUsdPerMonth`).' }),
  spentUsd: usd.openapi({ description: 'Both together.' }),
  earnedUsd: usd.openapi({ description: "Answers, by their policy's `value.usdPerRequest`; null where no policy declares a value." }),
  penaltyUsd: usd.openapi({ description: "Violations, by their policy's `value.usdPerViolation`." }),
  unvaluedRequests: z.number().int().openapi({ description: 'Under policies that declare no value.' }),
  netUsd: usd.openapi({ description: 'Earned less penalties less spent.' }),
};
const derived = {
  attainment: z.number().nullable().openapi({ description: 'Attained over judged, 0 to 1.' }),
  usdPerThousandRequests: usd.openapi({ description: 'Spent per thousand answered requests.' }),
  usdPerMillionTokens: usd.openapi({ description: 'Input and output tokens together.' }),
};
const NOBODYS = 'null: money that no request caused.';

export const valueFiguresSchema = z.object({ ...figures, ...derived }).openapi('ValueFigures');
export type ValueFiguresItem = z.infer<typeof valueFiguresSchema>;

export const valueLineSchema = z
  .object({
    deployment: z.string(),
    policy: z.string().nullable().openapi({ description: NOBODYS }),
    tenant: z
      .string()
      .nullable()
      .openapi({ description: `${NOBODYS} Beyond the thousand busiest: (others).` }),
    ...figures,
    ...derived,
  })
  .openapi('ValueLine');
export type ValueLineItem = z.infer<typeof valueLineSchema>;

export const deploymentValueSchema = z
  .object({
    deployment: z.string(),
    simulated: z.boolean(),
    hours: z.number().nullable().openapi({ description: 'Of the period, since its first replica; null where none was there.' }),
    acceleratorHours: z.number(),
    unpriced: z.array(z.string()),
    ...figures,
    ...derived,
    requestsPerHour: z.number().nullable(),
    breakEven: z.object({
      requestsPerHour: z
        .number()
        .nullable()
        .openapi({ description: 'So many pay for the deployment, of such requests with such attainment; null where `none` says why.' }),
      none: z.enum(['price', 'requests', 'value', 'penalties']).nullable(),
      purchaseUsd: z.number().openapi({ description: 'What its accelerators were bought for, by the time that it held them.' }),
      purchaseMonths: z
        .number()
        .nullable()
        .openapi({ description: 'After so many months such income has paid for them; null where nothing was bought, or never.' }),
    }),
  })
  .openapi('DeploymentValue');
export type DeploymentValueItem = z.infer<typeof deploymentValueSchema>;

export const policyValueSchema = z
  .object({
    policy: z.string().nullable().openapi({ description: NOBODYS }),
    targetAttainment: z.number().nullable(),
    ...figures,
    ...derived,
  })
  .openapi('PolicyValue');
export type PolicyValueItem = z.infer<typeof policyValueSchema>;

export const tenantValueSchema = z
  .object({ tenant: z.string().nullable().openapi({ description: NOBODYS }), ...figures, ...derived })
  .openapi('TenantValue');
export type TenantValueItem = z.infer<typeof tenantValueSchema>;

export const idleValueSchema = z
  .object({
    host: z.string(),
    acceleratorKind: z.string(),
    acceleratorHours: z.number(),
    acceleratorUsd: usd,
    fixedUsd: z.number(),
    spentUsd: usd,
  })
  .openapi('IdleValue');
export type IdleValueItem = z.infer<typeof idleValueSchema>;

export const valueReportSchema = z
  .object({
    from: timeSchema,
    to: timeSchema,
    totals: z
      .object({ served: valueFiguresSchema, idleUsd: usd, spentUsd: usd, netUsd: usd })
      .openapi({ description: 'Of all deployments together; what idled; both; and earned less penalties less all of that.' }),
    deployments: z.array(deploymentValueSchema),
    policies: z.array(policyValueSchema),
    tenants: z.array(tenantValueSchema),
    lines: z.array(valueLineSchema).openapi({ description: 'The finest parts: they sum to each of the lists above.' }),
    idle: z.array(idleValueSchema).openapi({ description: 'Accelerators while no replica held them; external hosts are somebody else’s.' }),
    prices: z.array(
      z.object({ acceleratorKind: z.string(), usdPerHour: usd, source: z.string(), hosts: z.array(z.string()) }).openapi('PriceUsed'),
    ),
    refusals: z.array(refusalSchema).openapi({ description: 'Kinds of accelerators that have no price, and where they are.' }),
    notes: z.array(z.string()).openapi({ description: 'What has to be known to read the figures.' }),
  })
  .openapi('ValueReport');
export type ValueReport = z.infer<typeof valueReportSchema>;
