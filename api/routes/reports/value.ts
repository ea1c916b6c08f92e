/** /api/v1/reports/value */
import { z } from '@hono/zod-openapi';
import { accepts } from 'hono/accepts';
import { catalogPrices } from '../../../core/domain/accelerators.ts';
import { UellmError } from '../../../core/domain/errors.ts';
import type { ValueFigures } from '../../../core/placement/value/types.ts';
import { valueReport } from '../../../core/placement/value/value-report.ts';
import { allPolicies } from '../../../db/queries/planning-reads.ts';
import { heldBetween, hostsBetween, observedSince, type Period, servedBetween } from '../../../db/queries/value-reads.ts';
import type { ApiDependencies } from '../../context.ts';
import { CSV_TYPE } from '../../csv.ts';
import type { ValueReport } from '../../schema/index.ts';
import { valueReportQuery, valueReportSchema } from '../../schema/value-report.ts';
import { createSharedRuns } from '../cost/shared-runs.ts';
import { createRoute, jsonContent, newRoutes, problems } from '../route.ts';
import { valueCsv } from './value-csv.ts';

const HOUR_MS = 3_600_000;
const STANDARD_HOURS = 24;
const MOST_DAYS = 400;
/** So many are told apart; the rest is added up. */
const MOST_TENANTS = 1000;

export function valueReportRoutes({ database: { db } }: ApiDependencies) {
  const shared = createSharedRuns<ValueReport>();

  return newRoutes().openapi(
    createRoute({
      method: 'get',
      path: '/value',
      access: { role: 'viewer' },
      tags: ['cost'],
      summary: 'What serving cost over a period, and what it was worth',
      description:
        'Requests, attainment, money spent, value earned and penalties by deployment, SLO policy and tenant, and the requests an hour at which each ' +
        'deployment pays for itself. Prices and fixed costs are those of the time, values those declared now. As JSON, or as CSV by `format=csv` or an Accept header.',
      request: { query: valueReportQuery },
      responses: {
        200: {
          description: 'The report.',
          content: { ...jsonContent(valueReportSchema, '').content, 'text/csv': { schema: z.string() } },
        },
        ...problems(),
      },
    }),
    async (c) => {
      const { format, by, from, to } = c.req.valid('query');
      const period = periodOf(from, to, Date.now());
      const report = await shared(JSON.stringify([from, to]), () => reckon(period));
      c.header('vary', 'accept');
      const type =
        format ??
        (accepts(c, { header: 'Accept', supports: ['application/json', 'text/csv'], default: 'application/json' }) === 'text/csv'
          ? 'csv'
          : 'json');
      if (type === 'json') return c.json(report, 200);
      const name = `uellm-value-${by}-${report.from.slice(0, 10)}-${report.to.slice(0, 10)}.csv`;
      c.header('content-disposition', `attachment; filename="${name}"`);
      return c.body(valueCsv(report, by), 200, { 'content-type': CSV_TYPE });
    },
  );

  async function reckon(period: Period): Promise<ValueReport> {
    const { since, input } = await db.transaction(
      async (tx) => ({
        since: await observedSince(tx),
        input: {
          served: await servedBetween(tx, period, MOST_TENANTS),
          held: await heldBetween(tx, period),
          hosts: await hostsBetween(tx, period),
          policies: await allPolicies(tx),
          catalog: catalogPrices(),
        },
      }),
      { isolationLevel: 'repeatable read', accessMode: 'read only' },
    );
    const { totals, deployments, policies, tenants, lines, notes, ...report } = valueReport(input);
    const spentSinceMs = period.until.getTime() - Math.max(0, ...input.held.map((h) => h.seconds)) * 1000;
    const seenSinceMs = since?.getTime() ?? period.until.getTime();
    return {
      from: period.from.toISOString(),
      to: period.until.toISOString(),
      ...report,
      totals: { ...totals, served: withRates(totals.served) },
      deployments: deployments.map(withRates),
      policies: policies.map(withRates),
      tenants: tenants.map(withRates),
      lines: lines.map(withRates),
      // What starts serving has its first requests a little later.
      notes: [...(seenSinceMs - spentSinceMs > HOUR_MS ? [unseen(seenSinceMs, spentSinceMs)] : []), ...notes],
    };
  }
}

function unseen(seenSinceMs: number, spentSinceMs: number): string {
  const at = (ms: number) => new Date(ms).toISOString();
  return `no request of before ${at(seenSinceMs)} is on record, and money is counted from ${at(spentSinceMs)}`;
}

/** @throws invalid-input where it would be empty, or too long */
function periodOf(from: string | undefined, to: string | undefined, nowMs: number): Period {
  const untilMs = Math.min(nowMs, to === undefined ? nowMs : Date.parse(to));
  const fromMs = from === undefined ? untilMs - STANDARD_HOURS * HOUR_MS : Date.parse(from);
  const issue = (field: string, given: string, allowed: string) =>
    new UellmError({ kind: 'invalid-input', what: 'the query', issues: [{ field, given: JSON.stringify(given), allowed }] });
  const end = to === undefined || Date.parse(to) > nowMs ? 'now' : '`to`';
  if (fromMs >= untilMs) throw issue('from', from!, `a time before ${end}, ${new Date(untilMs).toISOString()}`);
  if (untilMs - fromMs > MOST_DAYS * 24 * HOUR_MS) throw issue('from', from!, `at most ${MOST_DAYS} days before the end of the period`);
  return { from: new Date(fromMs), until: new Date(untilMs) };
}

function withRates<T extends ValueFigures>(figures: T) {
  const { spentUsd, judged, attained, answered, inputTokens, outputTokens } = figures;
  const per = (units: number, of: number) => (spentUsd === null || of === 0 ? null : (spentUsd * units) / of);
  return {
    ...figures,
    attainment: judged === 0 ? null : attained / judged,
    usdPerThousandRequests: per(1e3, answered),
    usdPerMillionTokens: per(1e6, inputTokens + outputTokens),
  };
}
