/** A value report as people read it: what it comes to, then deployments, SLO policies and tenants. */
import type { DeploymentValueItem, ValueFiguresItem, ValueReport } from '../api/schema/index.ts';
import { rate, usd } from './cost-text.ts';
import { NONE, percent } from './output/figures.ts';
import { type Row, renderTable, type TableStyle } from './output/table.ts';

const FIGURES = ['REQUESTS', 'ATTAINED', 'SPENT USD', 'USD/1K REQ', 'USD/1M TOKENS', 'EARNED', 'PENALTIES', 'NET'];
const NO_REQUEST = '(no request)';
const MOST_TENANTS = 20;

export function valueText(report: ValueReport, style: TableStyle): string {
  const { deployments, policies, tenants, totals } = report;
  if (deployments.length === 0) return `nothing served from ${report.from} to ${report.to}\n`;
  const table = (title: string, header: readonly string[], rows: readonly Row[]) => [`${title}\n`, renderTable(header, rows, style), '\n'];
  // The busiest are of interest; the rest is in the CSV.
  const shown = [...tenants].sort((a, b) => b.requests - a.requests).slice(0, MOST_TENANTS);
  return [
    `From ${report.from} to ${report.to}, USD\n\n`,
    ...table('Deployments', ['DEPLOYMENT', ...FIGURES, 'REQ/H', 'PAYS AT REQ/H'], deployments.map(deploymentRow)),
    ...table(
      'SLO policies',
      ['POLICY', ...FIGURES, 'TARGET'],
      policies.map((p) => [p.policy ?? NO_REQUEST, ...figures(p, p.targetAttainment), percent(p.targetAttainment)]),
    ),
    ...table(
      shown.length < tenants.length ? `Tenants, the busiest ${MOST_TENANTS} of ${tenants.length}` : 'Tenants',
      ['TENANT', ...FIGURES],
      shown.map((t) => [t.tenant ?? NO_REQUEST, ...figures(t)]),
    ),
    `spent ${known(totals.spentUsd)}: ${known(totals.served.spentUsd)} on deployments, ${known(totals.idleUsd)} on what idled\n`,
    totals.served.earnedUsd === null
      ? 'earned: no policy declares a value (value.usdPerRequest, value.usdPerViolation)\n'
      : `earned ${usd(totals.served.earnedUsd)} less ${usd(totals.served.penaltyUsd)} of penalties: net ${known(totals.netUsd)}\n`,
  ].join('');
}

const known = (amount: number | null) => (amount === null ? 'unknown' : usd(amount));

function deploymentRow(d: DeploymentValueItem): Row {
  return [
    d.simulated ? `${d.deployment} (simulated)` : d.deployment,
    ...figures(d),
    d.requestsPerHour === null ? NONE : rate(d.requestsPerHour),
    paysAt(d),
  ];
}

const NEVER = { price: 'no price', requests: 'no requests', value: 'no value', penalties: 'never: penalties' } as const;

function paysAt({ breakEven: { requestsPerHour, none }, requestsPerHour: now }: DeploymentValueItem): Row[number] {
  if (requestsPerHour === null) return none ? { text: NEVER[none], tone: 'busy' } : NONE;
  return { text: rate(requestsPerHour), tone: now !== null && now >= requestsPerHour ? 'good' : 'bad' };
}

function figures(f: ValueFiguresItem, target: number | null = null): Row {
  const missed = f.attainment !== null && target !== null && f.attainment < target;
  return [
    String(f.requests),
    missed ? { text: percent(f.attainment), tone: 'bad' } : percent(f.attainment),
    f.spentUsd === null ? { text: 'unknown', tone: 'busy' } : usd(f.spentUsd),
    usd(f.usdPerThousandRequests),
    usd(f.usdPerMillionTokens),
    usd(f.earnedUsd),
    usd(f.penaltyUsd),
    f.netUsd !== null && f.netUsd < 0 ? { text: usd(f.netUsd), tone: 'bad' } : usd(f.netUsd),
  ];
}
