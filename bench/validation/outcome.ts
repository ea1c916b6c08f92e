/** What clients saw of a run, simulated or real. */
import { TARGETS } from './scenario.ts';

export interface Outcome {
  ttftMs: number;
  tpotMs: number;
}

export interface Figures {
  requests: number;
  attainment: number;
  ttftMs: { p50: number; p90: number; p99: number };
  tpotMs: { p50: number; p90: number; p99: number };
}

/** @param outcomes null of a request that failed */
export function figuresOf(outcomes: readonly (Outcome | null)[]): Figures {
  const served = outcomes.filter((outcome) => outcome !== null);
  const attained = served.filter(({ ttftMs, tpotMs }) => ttftMs <= TARGETS.ttftMs && tpotMs <= TARGETS.tpotMs);
  return {
    requests: outcomes.length,
    attainment: attained.length / Math.max(1, outcomes.length),
    ttftMs: quantiles(served.map(({ ttftMs }) => ttftMs)),
    tpotMs: quantiles(served.map(({ tpotMs }) => tpotMs)),
  };
}

function quantiles(values: number[]): Figures['ttftMs'] {
  const sorted = values.sort((a, b) => a - b);
  const at = (q: number) => sorted[Math.max(0, Math.ceil(q * sorted.length) - 1)] ?? 0;
  return { p50: at(0.5), p90: at(0.9), p99: at(0.99) };
}
