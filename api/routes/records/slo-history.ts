/** /api/v1/slo-attainment/history and /api/v1/observations/distribution: what the SLO page draws. Sums only, never single requests. */
import { z } from '@hono/zod-openapi';
import { burnRate, errorBudget } from '../../../core/domain/error-budget.ts';
import type { Executor } from '../../../db/client.ts';
import { LENGTH_EDGES, type LengthCount, type LengthSummary, queryDistribution } from '../../../db/queries/query-distribution.ts';
import { attainmentSteps, burnCounts, type ObservationFilter, targetAttainments } from '../../../db/queries/slo-history.ts';
import type { ApiDependencies } from '../../context.ts';
import { textFilter, windowSeconds } from '../../schema/common.ts';
import type { Lengths, PolicyHistory, QueryDistribution, SloHistory } from '../../schema/index.ts';
import { queryDistributionSchema, sloHistorySchema } from '../../schema/slo-history.ts';
import { createSharedRuns } from '../cost/shared-runs.ts';
import { createRoute, jsonContent, newRoutes, problems, tenantFilter } from '../route.ts';

const HOUR_SECONDS = 3600;
const MAX_WINDOW_SECONDS = 7 * 86_400;
const MAX_STEPS = 100;
/** Lengths of steps that people count in. */
const STEP_SECONDS = [5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200];

const query = z.strictObject({
  windowSeconds: windowSeconds(HOUR_SECONDS, MAX_WINDOW_SECONDS, 'How far back.'),
  policy: textFilter.optional(),
  deployment: textFilter.optional(),
  tenant: textFilter.optional(),
});
const access = { role: 'viewer', tenants: true } as const;

interface Question {
  since: Date;
  until: Date;
  stepSeconds: number;
  filter: ObservationFilter;
}

export function sloHistoryRoutes({ database: { db } }: ApiDependencies) {
  const shared = createSharedRuns<SloHistory>();
  return newRoutes().openapi(
    createRoute({
      method: 'get',
      path: '/history',
      access,
      tags: ['slo-policies', 'observations'],
      summary: 'How SLO policies were attained over time',
      description: 'With the error budget of the window and how fast it is spent. Of the 20 policies with the most requests.',
      request: { query },
      responses: { 200: jsonContent(sloHistorySchema, 'Policies by name.'), ...problems(404) },
    }),
    async (c) => {
      const { windowSeconds: seconds, ...asked } = c.req.valid('query');
      const filter = { ...asked, tenant: tenantFilter(c.get('principal'), asked.tenant) };
      return c.json(await shared(JSON.stringify({ seconds, ...filter }), () => sloHistory(db, questionOf(seconds, filter))), 200);
    },
  );
}

export function queryDistributionRoutes({ database: { db } }: ApiDependencies) {
  const shared = createSharedRuns<QueryDistribution>();
  return newRoutes().openapi(
    createRoute({
      method: 'get',
      path: '/distribution',
      access,
      tags: ['observations'],
      summary: 'What is asked for',
      description: 'Arrivals over time, the lengths of prompts and answers, and how predicted lengths compare with those that came.',
      request: { query },
      responses: { 200: jsonContent(queryDistributionSchema, 'Sums over the window.'), ...problems(404) },
    }),
    async (c) => {
      const { windowSeconds: seconds, ...asked } = c.req.valid('query');
      const filter = { ...asked, tenant: tenantFilter(c.get('principal'), asked.tenant) };
      return c.json(await shared(JSON.stringify({ seconds, ...filter }), () => distribution(db, questionOf(seconds, filter))), 200);
    },
  );
}

/** The window until now, from the beginning of a step on. */
function questionOf(seconds: number, filter: ObservationFilter): Question {
  const stepSeconds = STEP_SECONDS.find((step) => seconds / step < MAX_STEPS)!;
  const until = new Date();
  const since = new Date(Math.floor((until.getTime() / 1000 - seconds) / stepSeconds) * stepSeconds * 1000);
  return { since, until, stepSeconds, filter };
}

async function sloHistory(db: Executor, question: Question): Promise<SloHistory> {
  const steps = await attainmentSteps(db, question);
  const burning = new Map((await burnCounts(db, question.until, question.filter)).map((counts) => [counts.policy, counts]));
  const targets = await targetAttainments(db);
  const policies = [...new Set(steps.map((step) => step.policy))].map((policy): PolicyHistory => {
    const own = steps.filter((step) => step.policy === policy);
    const requests = own.reduce((sum, step) => sum + step.requests, 0);
    const missed = requests - own.reduce((sum, step) => sum + step.attained, 0);
    const target = targets.get(policy) ?? null;
    const burn = burning.get(policy);
    const rate = (counts: { requests: number; missed: number } | undefined) =>
      target === null || !counts ? null : burnRate(target, counts.requests, counts.missed);
    return {
      policy,
      targetAttainment: target,
      requests,
      missed,
      errorBudget: target === null ? null : errorBudget(target, requests, missed),
      burnRates: { lastHour: rate(burn?.fast), lastSixHours: rate(burn?.slow) },
      steps: own.map(({ startMs, requests, attained }) => ({ startsAt: new Date(startMs).toISOString(), requests, attained })),
    };
  });
  return { ...presentWindow(question), policies };
}

async function distribution(db: Executor, question: Question): Promise<QueryDistribution> {
  const { arrivals, sampled, input, output, bands } = await queryDistribution(db, question);
  return {
    ...presentWindow(question),
    arrivals: arrivals.map(({ startMs, requests }) => ({ startsAt: new Date(startMs).toISOString(), requests })),
    sampled,
    inputTokens: presentLengths(input),
    outputTokens: presentLengths(output),
    predictions: bands.map(({ bucket, belowP90, ...band }) => ({ ...bounds(bucket), ...band, shareBelowP90: belowP90 / band.requests })),
  };
}

const presentWindow = ({ since, until, stepSeconds }: Question) => ({
  since: since.toISOString(),
  until: until.toISOString(),
  stepSeconds,
});

const LONGEST_TOKENS = 2 ** 31;
const bounds = (bucket: number) => ({ fromTokens: LENGTH_EDGES[bucket] ?? 0, belowTokens: LENGTH_EDGES[bucket + 1] ?? LONGEST_TOKENS });

/** With the empty buckets between the shortest and the longest. */
function presentLengths({ summary, counts }: { summary: LengthSummary | null; counts: LengthCount[] }): Lengths {
  if (!summary) return { requests: 0, p50: null, p90: null, p99: null, buckets: [] };
  const requests = new Map(counts.map((count) => [count.bucket, count.requests]));
  const [first, last] = [counts[0]!.bucket, counts.at(-1)!.bucket];
  const buckets = Array.from({ length: last - first + 1 }, (_, i) => ({ ...bounds(first + i), requests: requests.get(first + i) ?? 0 }));
  return { ...summary, buckets };
}
