/** A value report as the page words it. */
import type { DeploymentValueItem, Problem, ValueFiguresItem, ValueReport } from '../../../api/schema/index.ts';
import { dollars } from './cost.ts';
import { percent } from './format.ts';
import type { Tone } from './tones.ts';

export const PERIODS = [
  { value: '1h', text: 'Last hour', hours: 1 },
  { value: '24h', text: 'Last 24 hours', hours: 24 },
  { value: '7d', text: 'Last 7 days', hours: 168 },
  { value: '30d', text: 'Last 30 days', hours: 720 },
] as const;
export const OTHER_PERIOD = 'other';
const STANDARD = PERIODS[1];

/** The query of the report for what the page's address says: so many hours up to now, or from and to. */
export function reportQuery(address: URLSearchParams, nowMs: number): string {
  const [from, to] = [address.get('from'), address.get('to')];
  if (from !== null || to !== null) {
    const given = Object.entries({ from, to }).flatMap(([name, time]) => (time ? [[name, isoOf(time)]] : []));
    return `?${new URLSearchParams(given)}`;
  }
  const { hours } = PERIODS.find((p) => p.value === address.get('period')) ?? STANDARD;
  if (hours === STANDARD.hours) return '';
  return `?${new URLSearchParams({ from: new Date(nowMs - hours * 3_600_000).toISOString() })}`;
}

export function periodOf(address: URLSearchParams): string {
  if (address.has('from') || address.has('to')) return OTHER_PERIOD;
  return PERIODS.find((p) => p.value === address.get('period'))?.value ?? STANDARD.value;
}

export type PeriodField = 'from' | 'to';
export type PeriodIssues = Partial<Record<PeriodField, string>>;

/** What is wrong with a period of from and to, in the words of its fields. */
export function periodMistakes(address: URLSearchParams, nowMs: number): PeriodIssues {
  const at = (field: PeriodField) => (address.get(field) ? Date.parse(address.get(field)!) : null);
  const [from, to] = [at('from'), at('to')];
  const issue = (field: PeriodField, ms: number, allowed: string): PeriodIssues => ({
    [field]: `${allowed}; given: ${Number.isNaN(ms) ? address.get(field) : new Date(ms).toLocaleString()}`,
  });
  if (from !== null && !(from < nowMs)) return issue('from', from, Number.isNaN(from) ? A_TIME : 'a time before now');
  if (to !== null && !(to > (from ?? Number.NEGATIVE_INFINITY)))
    return issue('to', to, Number.isNaN(to) ? A_TIME : `a time after ${new Date(from!).toLocaleString()}`);
  return {};
}

const A_TIME = 'a day and a time';

/** What the API finds wrong with it, at its fields; null where that is something else. */
export function periodIssuesOf({ issues = [] }: Problem): PeriodIssues | null {
  const own = issues.filter(({ field }) => field === 'from' || field === 'to');
  return own.length === 0 ? null : Object.fromEntries(own.map(({ field, allowed }) => [field, allowed]));
}

/** A field of local time, as an instant; what is no time stays as it is, for the API to refuse. */
function isoOf(local: string): string {
  const at = new Date(local);
  return Number.isNaN(at.getTime()) ? local : at.toISOString();
}

/** Is it worth it, in a sentence. */
export function verdict({ totals }: ValueReport): { tone: Tone; text: string } {
  const { netUsd, spentUsd, served } = totals;
  if (spentUsd === null) return { tone: 'warn', text: 'Unknown: an accelerator has no price' };
  if (served.earnedUsd === null) return { tone: 'quiet', text: `${dollars(spentUsd)} spent; no policy declares what a request is worth` };
  if (netUsd! >= 0) return { tone: 'good', text: `Worth it: ${dollars(netUsd)} more earned than spent` };
  const more = `${dollars(-netUsd!)} more spent than earned`;
  // What nobody has valued may be worth more than that.
  if (served.unvaluedRequests > 0) return { tone: 'warn', text: `${more}, and ${share(served)} of the requests have no declared value` };
  return { tone: 'bad', text: `Not worth it: ${more}` };
}

const share = ({ unvaluedRequests, requests }: ValueFiguresItem) => percent(unvaluedRequests / requests);

const WHY_NOT = {
  price: 'no price',
  requests: 'no requests',
  value: 'no value declared',
  penalties: 'never: penalties eat up what it earns',
} as const;

/** `at 44 requests an hour`, with how far it is from that. */
export function breakEvenText({ breakEven, requestsPerHour }: DeploymentValueItem): { tone: Tone; text: string } {
  if (breakEven.requestsPerHour === null)
    return { tone: breakEven.none === 'penalties' ? 'bad' : 'quiet', text: breakEven.none ? WHY_NOT[breakEven.none] : '' };
  const pays = requestsPerHour !== null && requestsPerHour >= breakEven.requestsPerHour;
  return { tone: pays ? 'good' : 'bad', text: `at ${perHour(breakEven.requestsPerHour)}` };
}

export function perHour(requests: number): string {
  return `${requests.toLocaleString('en', { maximumFractionDigits: requests < 10 ? 1 : 0 })}/h`;
}

/** After how many months what was bought is paid; empty where nothing was bought. */
export function paidText({ breakEven: { purchaseUsd, purchaseMonths, none } }: DeploymentValueItem): string {
  if (purchaseUsd === 0) return '';
  const worth = `${dollars(purchaseUsd)} of accelerators`;
  if (purchaseMonths !== null) return `${worth} paid in ${purchaseMonths.toFixed(1)} months`;
  return none === null || none === 'penalties' ? `${worth} never paid` : '';
}

export function attainedTone({ attainment }: ValueFiguresItem, target: number | null): Tone | null {
  if (attainment === null || target === null) return null;
  return attainment >= target ? 'good' : 'bad';
}
