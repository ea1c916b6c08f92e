/** What one simulated run came to. Names and units are part of the contract of `uellm simulate --json`; `series` is for its report. */

export interface Quantiles {
  p50: number;
  p90: number;
  p99: number;
}

export interface Run {
  policy: string;
  predictor: string;
  /** Arrivals come this many times as fast as in the trace. */
  rateScale: number;
  seed: number;
  /** Of the trace; all of them are in `attainment`, also those that were shed or fitted nowhere. */
  requests: number;
  /** From the first arrival to the last end. */
  durationSeconds: number;
  /** Share of requests that met every target of their class, 0 to 1. */
  attainment: number;
  attainmentByClass: Record<string, number>;
  /** By input length, shortest tenth first. */
  attainmentByInputDecile: number[];
  /** Largest input length of each tenth, tokens. */
  inputDecileTokens: number[];
  /** Requests a second that met their SLO. */
  goodputPerSecond: number;
  outputTokensPerSecond: number;
  ttftMs: Quantiles;
  /** Mean over a request's output tokens after the first. */
  tpotMs: Quantiles;
  e2eMs: Quantiles;
  /** Given up because their policy allowed it. */
  shed: number;
  /** Refused by every engine, since no engine can hold them. */
  rejected: number;
  preemptions: number;
  /** Longest time between arrival and release to an engine. */
  longestWaitSeconds: number;
  /** Mean share of the time in which an engine had a step running, 0 to 1. */
  gpuUtilisation: number;
  /** Of those that were served; null where none was, or an accelerator has no price. */
  costUsdPerThousandRequests: number | null;
  /** Set where this run is the fastest one found that still attains so much. */
  searchedAttainment?: number;
}

/** Curves of a run. */
export interface RunSeries {
  /** Sorted samples at evenly spaced ranks, from the smallest to the largest: a CDF's abscissae. At most 200 each. */
  ttftMs: number[];
  tpotMs: number[];
  e2eMs: number[];
  /** Per replica: the share of each interval in which a step was running. */
  utilisation: { intervalSeconds: number; replicas: { id: string; shares: number[] }[] };
}

export interface ReportedRun {
  run: Run;
  series: RunSeries;
}
