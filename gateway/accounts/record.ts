/** What is written down of a request when it ends: the observation, and whether it met its SLO. */
import type { Observation } from '../../core/domain/observation.ts';
import { type SloTargets, violatedTargets } from '../../core/domain/slo-policy.ts';

export type ObservationOutcome = Observation['outcome'];

export interface Measured {
  streamed: boolean;
  /** From acceptance; null where no token came, or the answer came as a whole. */
  ttftMs: number | null;
  /** null for fewer than two output tokens. */
  tpotMs: number | null;
  e2eMs: number;
  outputTokens: number | null;
}

export type Violation = 'ttft' | 'tpot' | 'e2e';

/**
 * Which targets an answer missed. An answer that comes as a whole shows no token times: it is held to the time at which a stream that just
 * meets the TTFT and TPOT targets would have ended, and to the end-to-end target.
 */
export function violations(targets: SloTargets, measured: Measured): Violation[] {
  const { ttftMs, tpotMs, e2eMs, outputTokens } = measured;
  if (measured.streamed) {
    return violatedTargets(targets, { ttftMs: ttftMs ?? e2eMs, e2eMs, ...(tpotMs === null ? {} : { tpotMs }) });
  }
  const streamEnd =
    targets.ttftMs === undefined || targets.tpotMs === undefined ? undefined : targets.ttftMs + targets.tpotMs * ((outputTokens ?? 1) - 1);
  const due = Math.min(targets.e2eMs ?? Number.POSITIVE_INFINITY, streamEnd ?? Number.POSITIVE_INFINITY);
  return e2eMs > due ? ['e2e'] : [];
}

/** Did it meet its SLO? null where that cannot be said: the client went away. */
export function attained(outcome: ObservationOutcome, missed: readonly Violation[]): boolean | null {
  if (outcome === 'cancelled') return null;
  return outcome === 'ok' && missed.length === 0;
}

/** Mean time per output token after the first, ms; null for fewer than two. */
export function meanTpotMs(firstTokenMs: number | null, lastTokenMs: number, outputTokens: number | null): number | null {
  return firstTokenMs === null || outputTokens === null || outputTokens < 2 ? null : (lastTokenMs - firstTokenMs) / (outputTokens - 1);
}
