/** How requests fared, measured or replayed, and what serving them cost. */
import { perUnit } from '../placement/fleet-cost.ts';
import type { RecordedRequest, Replayed, ServingReplica } from './replay.ts';
import type { Quantiles } from './run.ts';
import { quantiles } from './summarise.ts';

/** How requests fared; those that their client cancelled are not among them. Quantiles are null of nothing. */
export interface Fared {
  requests: number;
  /** Share of them that met every target of their policy, 0 to 1; null of nothing. */
  attainment: number | null;
  ttftMs: Quantiles | null;
  /** Mean over a request's output tokens after the first. */
  tpotMs: Quantiles | null;
  e2eMs: Quantiles | null;
  /** From acceptance to release to an engine. */
  waitMs: Quantiles | null;
  /** Shed, refused, failed, or without any replica. */
  unserved: number;
}

export interface Money {
  replicas: number;
  /** Of the accelerators of replicas that serve; null where one has no price. */
  usdPerHour: number | null;
  usdPerThousandRequests: number | null;
}

/** One request of either kind. What was not measured is null. */
interface Outcome {
  isServed: boolean;
  attained: boolean;
  ttftMs: number | null;
  tpotMs: number | null;
  e2eMs: number | null;
  waitMs: number | null;
}

export function simulated({ request }: Replayed): Outcome {
  const isServed = request.outcome === 'served';
  const known = (ms: number) => (Number.isNaN(ms) ? null : ms);
  return {
    isServed,
    attained: request.attained,
    ttftMs: isServed ? known(request.ttftMs) : null,
    tpotMs: isServed ? known(request.tpotMs) : null,
    e2eMs: isServed ? known(request.e2eMs) : null,
    waitMs: isServed ? known(request.releasedMs - request.arrivalMs) : null,
  };
}

export function measured({ outcome, attained, ttftMs, tpotMs, e2eMs, queueMs }: RecordedRequest): Outcome {
  const isServed = outcome === 'ok';
  const of = (ms: number | null) => (isServed ? ms : null);
  return { isServed, attained: attained === true, ttftMs: of(ttftMs), tpotMs: of(tpotMs), e2eMs: of(e2eMs), waitMs: of(queueMs) };
}

export function fared(outcomes: readonly Outcome[]): Fared {
  const over = (field: 'ttftMs' | 'tpotMs' | 'e2eMs' | 'waitMs') => {
    const values = Float64Array.from(outcomes.flatMap((o) => o[field] ?? [])).sort();
    return values.length === 0 ? null : quantiles(values);
  };
  const requests = outcomes.length;
  return {
    requests,
    attainment: requests === 0 ? null : outcomes.filter((o) => o.attained).length / requests,
    ttftMs: over('ttftMs'),
    tpotMs: over('tpotMs'),
    e2eMs: over('e2eMs'),
    waitMs: over('waitMs'),
    unserved: outcomes.filter((o) => !o.isServed).length,
  };
}

export function moneyOf(replicas: readonly ServingReplica[], replayed: readonly Replayed[], seconds: number): Money {
  const usdPerHour = usdPerHourOf(replicas);
  const served = replayed.filter(({ request }) => request.outcome === 'served').length;
  return {
    replicas: replicas.length,
    usdPerHour,
    usdPerThousandRequests: seconds === 0 ? null : perUnit(usdPerHour, served / seconds, 1000),
  };
}

/** To a hundredth of a cent; null where one has no price. */
export function usdPerHourOf(replicas: readonly ServingReplica[]): number | null {
  const usd = replicas.reduce<number | null>(
    (sum, { spec }) => (sum === null || spec.usdPerHour === null ? null : sum + spec.usdPerHour),
    0,
  );
  return usd === null ? null : Math.round(usd * 1e4) / 1e4;
}
