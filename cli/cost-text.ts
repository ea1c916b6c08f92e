/** What serving costs as people read it: three tables, of deployments, of SLO policies and of prices of the SLO. */
import type { Cost, DeploymentCostItem, DeploymentSloPricesItem, PolicyCostItem, SloPriceItem } from '../api/schema/index.ts';
import { counted } from '../core/domain/counted.ts';
import { NONE, percent } from './output/figures.ts';
import { type Row, renderTable, type TableStyle } from './output/table.ts';

export function costText(cost: Cost, style: TableStyle, { one }: { one: string | undefined }): string {
  const { deployments, policies, sloPrices, windowSeconds } = cost;
  if (deployments.length === 0) return one === undefined ? 'nothing serves\n' : `${one} has no replica, and has never served\n`;
  const table = (title: string, header: readonly string[], rows: readonly Row[]) =>
    rows.length > 0 ? [`${title}\n`, renderTable(header, rows, style), '\n'] : [];
  return [
    ...table(
      `Money now, over the requests of the last ${counted(Math.round(windowSeconds / 60), 'minute')}`,
      ['DEPLOYMENT', 'REPLICAS', 'ACCELERATORS', 'USD/H', 'REQ/S', 'USED', 'USD/1K REQ', 'USD/1M TOKENS', 'USD/1M OUTPUT'],
      deployments.map(deploymentRow),
    ),
    ...table(
      'By SLO policy, by time on engines',
      ['POLICY', 'DEPLOYMENT', 'REQUESTS', 'SHARE', 'USD/H', 'USD/1K REQ', 'ATTAINED', 'TARGET', 'WORTH USD/H'],
      policies.map(policyRow),
    ),
    ...table(
      'What an SLO costs: the least money that serves the demand planned for',
      ['DEPLOYMENT', 'REQ/S', 'TPOT', 'USD/H', 'USD/1K REQ', 'REPLICAS', 'PRESENT FLEET'],
      sloPrices.flatMap(priceRows),
    ),
    one === undefined ? totalsText(cost) : '',
  ].join('');
}

/** Of all that was asked for, has nothing any price? */
export function nothingPriced({ deployments, sloPrices, refusals }: Cost): boolean {
  const known = [...deployments, ...sloPrices.flatMap((p) => p.levels)].some((d) => d.usdPerHour !== null);
  return !known && deployments.length > 0 && refusals.length > 0;
}

function deploymentRow(d: DeploymentCostItem): Row {
  const used: Row[number] =
    d.utilisation !== null && d.utilisation > 1 ? { text: percent(d.utilisation), tone: 'bad' } : percent(d.utilisation);
  return [
    d.simulated ? `${d.deployment} (simulated)` : d.deployment,
    String(d.replicas),
    d.accelerators.map((a) => `${a.count} ${a.kind}`).join(', ') || NONE,
    d.usdPerHour === null ? { text: `unknown: ${d.unpriced.join(', ')}`, tone: 'busy' } : usd(d.usdPerHour),
    rate(d.requestsPerSecond),
    used,
    usd(d.usdPerThousandRequests),
    usd(d.usdPerMillionTokens),
    usd(d.usdPerMillionOutputTokens),
  ];
}

function policyRow({ policy, deployment, requests, share, attainment, targetAttainment, value, ...money }: PolicyCostItem): Row {
  const missed = attainment !== null && targetAttainment !== null && attainment < targetAttainment;
  return [
    policy,
    deployment,
    String(requests),
    percent(share),
    usd(money.usdPerHour),
    usd(money.usdPerThousandRequests),
    missed ? { text: percent(attainment), tone: 'bad' } : percent(attainment),
    percent(targetAttainment),
    value ? usd(value.usdPerHour) : NONE,
  ];
}

function priceRows({ deployment, demand, levels }: DeploymentSloPricesItem): Row[] {
  return levels.map((level, i) => [
    i === 0 ? deployment : '',
    i === 0 ? rate(demand.requestsPerSecond) : '',
    `${level.targets?.tpotMs === undefined ? 'none' : `${level.targets.tpotMs} ms`}${level.own ? ' (now)' : ''}`,
    usd(level.usdPerHour),
    usd(level.usdPerThousandRequests),
    level.refusal
      ? { text: level.refusal.nearest ?? level.refusal.message, tone: 'busy' }
      : level.replicas.map((r) => `${r.count} × ${r.tensorParallel} ${r.acceleratorKind}`).join(', ') || NONE,
    presentFleetCell(level),
  ]);
}

function presentFleetCell({ usdPerHour, refusal, presentFleet }: SloPriceItem): Row[number] {
  if (refusal) return NONE;
  if (!presentFleet.holds) return { text: `no: ${presentFleet.refusal?.nearest ?? presentFleet.refusal?.message ?? ''}`, tone: 'busy' };
  const dearer = presentFleet.usdPerHour! > usdPerHour! * 1.0001;
  return { text: dearer ? `holds it for ${usd(presentFleet.usdPerHour)} USD/h` : 'holds it', tone: 'good' };
}

function totalsText({ totals: { held, idle }, idle: kinds }: Cost): string {
  const money = ({ usdPerHour, pricedUsdPerHour }: Cost['totals']['held']) =>
    usdPerHour === null ? `${usd(pricedUsdPerHour)} USD/h and what has no price` : `${usd(usdPerHour)} USD/h`;
  const named = kinds.map((k) => `${k.count} ${k.kind}`).join(', ');
  return [
    `${counted(held.accelerators, 'accelerator')} held: ${money(held)}\n`,
    `${counted(idle.accelerators, 'accelerator')} idle${named ? ` (${named})` : ''}: ${money(idle)}\n`,
  ].join('');
}

/** Cents, and two digits of what is less than ten of them. */
export function usd(amount: number | null): string {
  if (amount === null) return NONE;
  return amount === 0 || Math.abs(amount) >= 0.1 ? amount.toFixed(2) : String(Number(amount.toPrecision(2)));
}

export function rate(perSecond: number): string {
  return perSecond === 0 || perSecond >= 1 ? perSecond.toFixed(1) : String(Number(perSecond.toPrecision(2)));
}
