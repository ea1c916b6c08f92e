/**
 * Is a new revision as good as the old one? Judged from what their requests came to, several times while it takes its share.
 *
 * Seven comparisons: requests that failed; others that missed their SLO; requests that the new revision should have had by its share and
 * that went elsewhere, as those do that it fails before their first token; and the median and the 90th percentile of the time to the
 * first token (from the release to the engine: the wait before it is the deployment's) and of the time per token.
 *
 * Latencies are compared only between replicas on the same kind of accelerator with the same tensor parallelism, and only while the new
 * replicas bear no more load, for what they can serve, than the old ones. Where that cannot be, the SLO decides alone: a promise holds
 * on any accelerator, and the share of a step is less than what the revision has to bear afterwards.
 *
 * A revision is bad where it is worse by more than a least difference, and the exact test (Fisher's; of a quantile, the test of how many lie
 * above the pooled one) says that chance makes that of equal revisions less often than its level. The levels of all comparisons and looks of
 * a step add up to `STEP_LEVEL`, so that is the most often that a step sends an equal revision back.
 */
import { type Count, chanceOfAsFew, chanceOfAsManyIn } from './exact-tests.ts';

/** The chance at most that a step sends a revision back which is as good as the old one. */
export const STEP_LEVEL = 0.01;
const COMPARISONS = 7;
/** With fewer requests on either side a revision is not called good. */
export const MINIMUM_REQUESTS = 50;

/** Least differences that count. Shares of requests: */
const LEAST_MORE_FAILED = 0.02;
const LEAST_MORE_MISSED = 0.05;
/** Of its share, what a new revision has to have had. */
const LEAST_OF_ITS_SHARE = 0.5;
/** Latencies: so many times the old one's, and so many ms beyond it. */
const LEAST_RATIO = 1.3;
const LEAST_MORE_MS = { TTFT: 20, TPOT: 2 } as const;
/** Load of the new replicas relative to the old ones' beyond which latencies are not compared. */
const COMPARABLE_LOAD = 1.2;

/** What the requests of one side came to; those that clients cancelled are only in `started`. */
export interface SideEvidence {
  /** That ended, well or not. */
  requests: number;
  failed: number;
  attained: number;
  /** That it was sent: those that ended, were cancelled, or are still open. */
  started: number;
  /** Requests sent for each that its replicas can serve within the SLO, or for each replica where that is not known. */
  load: number;
}

/** One quantile of one latency, of replicas on shapes that both sides have. */
export interface QuantileEvidence {
  metric: 'TTFT' | 'TPOT';
  quantile: 0.5 | 0.9;
  canary: AboveQuantile;
  stable: AboveQuantile;
}

export interface AboveQuantile {
  requests: number;
  /** Requests above the quantile of both sides together, on their own shape. */
  above: number;
  /** Its own quantile. */
  ms: number;
}

export interface CanaryEvidence {
  canary: SideEvidence;
  stable: SideEvidence;
  /** Share of the traffic that the new revision should have, 0 to 1; null where the old one has none. */
  share: number | null;
  /** Empty where the sides share no shape. */
  quantiles: readonly QuantileEvidence[];
}

/**
 * The how-manieth look this is: of those `during` a step, where only what is clearly bad ends it, or of those when its time is over (`due`).
 * Each sort has half of the level, and the looks of a sort have it as 1/2, 1/6, 1/12, ...: their sum never exceeds it.
 */
export interface Look {
  sort: 'during' | 'due';
  /** From 1. */
  number: number;
}

export interface CanaryVerdict {
  verdict: 'good' | 'bad' | 'unsure';
  /** One line with the figures. */
  why: string;
}

export function analyseCanary(evidence: CanaryEvidence, look: Look): CanaryVerdict {
  const level = STEP_LEVEL / 2 / (look.number * (look.number + 1)) / COMPARISONS;
  const worse = [...worseOutcomes(evidence), ...worseShare(evidence), ...worseLatencies(evidence)].filter((w) => w.chance < level);
  const figures = describeFigures(evidence);
  if (worse.length > 0) return { verdict: 'bad', why: `${worse.map((w) => w.what).join('; ')} (${figures})` };
  const { canary, stable } = evidence;
  if (canary.requests < MINIMUM_REQUESTS || stable.requests < MINIMUM_REQUESTS)
    return { verdict: 'unsure', why: `fewer than ${MINIMUM_REQUESTS} requests to compare: ${figures}` };
  return { verdict: 'good', why: figures };
}

/** A comparison that came out against the new revision by more than the least difference. */
interface Worse {
  what: string;
  chance: number;
}

function worseOutcomes({ canary, stable }: CanaryEvidence): Worse[] {
  const compare = (what: string, count: (side: SideEvidence) => Count, least: number): Worse[] => {
    const [a, b] = [count(canary), count(stable)];
    if (a.of === 0 || b.of === 0 || a.hits / a.of - b.hits / b.of < least) return [];
    const told = `${percent(a.hits / a.of)} of ${a.of} requests ${what}, ${percent(b.hits / b.of)} of ${b.of} on the old revision`;
    return [{ what: told, chance: chanceOfAsManyIn(a, b) }];
  };
  return [
    ...compare('failed', (side) => ({ hits: side.failed, of: side.requests }), LEAST_MORE_FAILED),
    ...compare('that did not fail missed their SLO', missed, LEAST_MORE_MISSED),
  ];
}

function missed({ requests, failed, attained }: SideEvidence): Count {
  return { hits: requests - failed - attained, of: requests - failed };
}

function worseShare({ canary, stable, share }: CanaryEvidence): Worse[] {
  const all = canary.started + stable.started;
  if (share === null || all === 0 || canary.started >= LEAST_OF_ITS_SHARE * share * all) return [];
  const what = `it kept ${canary.started} of ${all} requests where its share is ${percent(share)}: the others went elsewhere`;
  return [{ what, chance: chanceOfAsFew({ hits: canary.started, of: all }, LEAST_OF_ITS_SHARE * share) }];
}

function worseLatencies(evidence: CanaryEvidence): Worse[] {
  if (!areLatenciesComparable(evidence)) return [];
  return evidence.quantiles.flatMap(({ metric, quantile, canary, stable }) => {
    if (canary.requests === 0 || stable.requests === 0) return [];
    if (canary.ms < LEAST_RATIO * stable.ms || canary.ms < stable.ms + LEAST_MORE_MS[metric]) return [];
    const what = `${metric} p${100 * quantile} ${ms(canary.ms)}, ${ms(stable.ms)} on the old revision`;
    const chance = chanceOfAsManyIn({ hits: canary.above, of: canary.requests }, { hits: stable.above, of: stable.requests });
    return [{ what, chance }];
  });
}

function areLatenciesComparable({ canary, stable }: CanaryEvidence): boolean {
  return canary.load <= COMPARABLE_LOAD * stable.load;
}

function describeFigures(evidence: CanaryEvidence): string {
  const { canary, stable, quantiles } = evidence;
  const both = (of: (side: SideEvidence) => number) => `${share(of(canary), canary.requests)} and ${share(of(stable), stable.requests)}`;
  return [
    `new and old: ${canary.requests} and ${stable.requests} requests`,
    `failed ${both((s) => s.failed)}`,
    `attained ${both((s) => s.attained)}`,
    describeLatencies(evidence, quantiles),
  ].join(', ');
}

function describeLatencies(evidence: CanaryEvidence, quantiles: readonly QuantileEvidence[]): string {
  const told = quantiles.filter((q) => q.canary.requests > 0 && q.stable.requests > 0);
  if (evidence.canary.requests === 0 || evidence.stable.requests === 0) return 'no latencies to compare';
  if (told.length === 0) return 'latencies not compared: no requests on the same accelerators';
  if (!areLatenciesComparable(evidence))
    return `latencies not compared: the new replicas bear ${(evidence.canary.load / evidence.stable.load).toFixed(1)} times the load`;
  return told
    .map(({ metric, quantile, canary, stable }) => `${metric} p${100 * quantile} ${ms(canary.ms)} and ${ms(stable.ms)}`)
    .join(', ');
}

const share = (hits: number, of: number) => (of === 0 ? 'none' : percent(hits / of));
const percent = (value: number) => `${(100 * value).toFixed(1)} %`;
const ms = (value: number) => `${value < 100 ? value.toFixed(1) : value.toFixed(0)} ms`;
