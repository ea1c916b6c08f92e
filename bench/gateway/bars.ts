/** What is to be reached, as ratios within one run or as absolutes, and whether it was. */

/** Figure → its median, by router. */
export type Medians = Readonly<Record<string, Readonly<Record<string, number>>>>;

export interface Bar {
  figure: string;
  what: string;
  /** Whose figure is the measure; null for an absolute one. */
  against: string | null;
  /** At most so many times theirs, or at most this. */
  most: number;
}

export interface BarResult extends Bar {
  ours: number | null;
  theirs: number | null;
  /** ours / theirs, or ours where the bar is an absolute one. */
  is: number | null;
  /** null where this run does not say. */
  reached: boolean | null;
}

export const US = 'uellm';

export const BARS: readonly Bar[] = [
  { figure: 'plainCpuUs', what: 'CPU per request, non-streaming, concurrency 64', against: 'smg', most: 0.6 },
  { figure: 'streamCpuUs', what: 'CPU per stream of 32 chunks, concurrency 64', against: 'smg', most: 0.5 },
  { figure: 'streamCpuUs', what: 'CPU per stream of 32 chunks, concurrency 64', against: 'vllm-router', most: 1 },
  { figure: 'decisionUs', what: 'features + prediction + decision, median, us', against: null, most: 15 },
  { figure: 'addedP50Ms', what: 'added p50 at 500 req/s', against: 'smg', most: 0.75 },
  { figure: 'addedP99Ms', what: 'added p99 at 500 req/s', against: 'smg', most: 1 },
  { figure: 'bodyCpuUs', what: 'CPU per request of 200 KB, concurrency 16', against: 'smg', most: 0.6 },
  { figure: 'rssBytes', what: 'RSS at concurrency 64', against: 'smg', most: 1.6 },
  { figure: 'streamsRssBytes', what: 'RSS with 10,000 open streams, bytes', against: null, most: 350e6 },
  { figure: 'growth', what: 'RSS over a million requests, last fifth over second fifth', against: null, most: 1.1 },
];

export function judge(medians: Medians, bars: readonly Bar[] = BARS): BarResult[] {
  return bars.map((bar) => {
    const ours = medians[US]?.[bar.figure] ?? null;
    const theirs = bar.against === null ? null : (medians[bar.against]?.[bar.figure] ?? null);
    if (ours === null) return { ...bar, ours, theirs, is: null, reached: null };
    if (bar.against === null) return { ...bar, ours, theirs, is: ours, reached: ours <= bar.most };
    if (theirs === null) return { ...bar, ours, theirs, is: null, reached: null };
    // What is added to a latency is a difference, and may come out below 0: then there is no ratio.
    return theirs > 0
      ? { ...bar, ours, theirs, is: ours / theirs, reached: ours / theirs <= bar.most }
      : { ...bar, ours, theirs, is: null, reached: ours <= theirs };
  });
}
