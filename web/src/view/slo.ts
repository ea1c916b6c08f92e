/** Attainment over time and the distribution of queries, ready to be drawn. */
import type { PolicyHistory, QueryDistribution, SloHistory } from '../../../api/schema/index.ts';
import type { Tone } from './tones.ts';

export const WINDOWS = [
  { seconds: 3600, text: '1 hour' },
  { seconds: 86_400, text: '24 hours' },
  { seconds: 604_800, text: '7 days' },
] as const;

/** Starts of all steps of a window, Unix time in seconds: what stands below a chart, empty steps too. */
export function stepTimes({ since, until, stepSeconds }: Pick<SloHistory, 'since' | 'until' | 'stepSeconds'>): number[] {
  const first = Date.parse(since) / 1000;
  const steps = Math.ceil((Date.parse(until) / 1000 - first) / stepSeconds);
  return Array.from({ length: steps }, (_, i) => first + i * stepSeconds);
}

/** Share of the requests of each step that attained their targets, in percent; null where there were none. */
export function attainedPercent(times: readonly number[], { steps }: PolicyHistory): (number | null)[] {
  const known = new Map(steps.map((step) => [Date.parse(step.startsAt) / 1000, (step.attained / step.requests) * 100]));
  return times.map((time) => known.get(time) ?? null);
}

/** What is left of the error budget of the window at the end of each step, in percent; null without a budget. */
export function budgetPercent(times: readonly number[], { steps, errorBudget }: PolicyHistory): (number | null)[] {
  if (!errorBudget) return times.map(() => null);
  const missed = new Map(steps.map((step) => [Date.parse(step.startsAt) / 1000, step.requests - step.attained]));
  let spent = 0;
  return times.map((time) => {
    spent += missed.get(time) ?? 0;
    return (1 - spent / errorBudget.allowed) * 100;
  });
}

/** Requests per minute of each step; 0 where there were none. */
export function arrivalsPerMinute(times: readonly number[], { arrivals, stepSeconds }: QueryDistribution): number[] {
  const known = new Map(arrivals.map((step) => [Date.parse(step.startsAt) / 1000, (step.requests * 60) / stepSeconds]));
  return times.map((time) => known.get(time) ?? 0);
}

/** Spending faster than allowed is to be looked at; at 14.4 times, a 30-day budget is gone in two days (the workbook's page). */
export function burnTone(rate: number | null): Tone {
  if (rate === null) return 'quiet';
  if (rate <= 1) return 'good';
  return rate < 14.4 ? 'warn' : 'bad';
}

export function budgetTone(remaining: number): Tone {
  if (remaining <= 0) return 'bad';
  return remaining < 0.25 ? 'warn' : 'good';
}

/** `128`, `1.4k`, `131k`. */
export function shortTokens(tokens: number): string {
  if (tokens < 1000) return String(Math.round(tokens));
  return `${Number((tokens / 1000).toFixed(tokens < 10_000 ? 1 : 0))}k`;
}

/** `64 to 90`; open above where there is no longer bucket. */
export function bucketText({ fromTokens, belowTokens }: { fromTokens: number; belowTokens: number }): string {
  return belowTokens >= 2 ** 31
    ? `${fromTokens.toLocaleString('en')} and more`
    : `${fromTokens.toLocaleString('en')} to ${(belowTokens - 1).toLocaleString('en')}`;
}

/** The query of the API for what the address asks for; what the address has besides does not matter. */
export function questionOf(query: URLSearchParams): { api: string; windowSeconds: number } {
  const asked = Number(query.get('window'));
  const windowSeconds = WINDOWS.find(({ seconds }) => seconds === asked)?.seconds ?? WINDOWS[0].seconds;
  const question = new URLSearchParams({ windowSeconds: String(windowSeconds) });
  for (const name of ['policy', 'deployment', 'tenant']) {
    const value = query.get(name);
    if (value) question.set(name, value);
  }
  return { api: `?${question}`, windowSeconds };
}
