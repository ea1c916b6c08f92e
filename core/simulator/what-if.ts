/**
 * What if: the same observed requests, replayed as things are and as they would be. Both come from one model, so that what differs between
 * them is the change; beside them stands what was observed, which tells how far to believe the model.
 */
import { counted } from '../domain/counted.ts';
import { compareText } from '../placement/rank.ts';
import { type Fared, fared, type Money, measured, moneyOf, simulated } from './fared.ts';
import { type RecordedRequest, type Replayed, replay, type Situation, type Stretch } from './replay.ts';
import type { WhatIfChange } from './what-if-change.ts';
import { type PresentFleet, situations } from './what-if-fleet.ts';

export interface WhatIfQuestion {
  /** All that was observed as one, or a sample of it. */
  stretches: readonly Stretch[];
  /** So many requests were observed in all of that time. */
  observed: number;
  present: PresentFleet;
  change: WhatIfChange;
}

export interface PolicyFared extends Fared {
  targetAttainment: number;
  /** What answers earn less what violations cost, as the policy declares; null where it declares none. */
  worthUsdPerHour: number | null;
}

export interface WhatIfAnswer {
  observed: number;
  /** Replayed; of them those at the edges of stretches are not counted in any figure. */
  replayed: number;
  counted: number;
  stretches: { fromMs: number; untilMs: number; requests: number }[];
  /** What differs, a line each. */
  changes: string[];
  deployments: { deployment: string; observed: Fared; before: Fared & Money; after: Fared & Money }[];
  /** Requests fall under other policies where matches change: null where none falls under it. */
  policies: { policy: string; observed: Fared | null; before: PolicyFared | null; after: PolicyFared | null }[];
  totals: { before: Money; after: Money };
  /** Name of the policy by which they were scheduled in either replay, but for deployments in shadow mode. */
  scheduler: string;
  notes: string[];
}

/** Of the stretches of a sample: their first requests find idle engines, their last ones have no company. */
const EDGE_BEFORE = 0.1;
const EDGE_AFTER = 0.05;

/** @param onArrival called with each request that arrives, in either replay; what it throws ends them */
export function whatIf({ stretches, observed, present, change }: WhatIfQuestion, onArrival?: () => void): WhatIfAnswer {
  const { before, after, changes, notes } = situations(present, change);
  const taken = stretches.reduce((sum, { requests }) => sum + requests.length, 0);
  const edges = stretches.map((stretch) => countedPart(stretch, taken < observed));
  const seconds = edges.reduce((sum, { fromMs, untilMs }) => sum + untilMs - fromMs, 0) / 1000;
  const unserved = unservedDeployments(stretches, before);
  const kept = stretches.map((s) => ({ ...s, requests: s.requests.filter((r) => !unserved.has(r.deployment)) }));
  const counts = ({ outcome, acceptedAtMs }: RecordedRequest, stretch: number) =>
    outcome !== 'cancelled' && acceptedAtMs >= edges[stretch]!.fromMs && acceptedAtMs <= edges[stretch]!.untilMs;
  const countedOf = (replayed: Replayed[][]) => replayed.flatMap((of, i) => of.filter(({ recorded }) => counts(recorded, i)));
  const was = countedOf(replay(kept, before, onArrival));
  const would = countedOf(replay(kept, after, onArrival));
  const replayed = kept.reduce((sum, { requests }) => sum + requests.length, 0);
  return {
    observed,
    replayed,
    counted: was.length,
    stretches: kept.map(({ fromMs, untilMs, requests }) => ({ fromMs, untilMs, requests: requests.length })),
    changes,
    deployments: names(was, ({ recorded }) => recorded.deployment).map((deployment) => {
      const own = ({ recorded }: Replayed) => recorded.deployment === deployment;
      const side = (of: Replayed[], { replicas }: Situation) => ({
        ...fared(of.filter(own).map(simulated)),
        ...moneyOf(
          replicas.filter((r) => r.deployment === deployment),
          of.filter(own),
          seconds,
        ),
      });
      return {
        deployment,
        observed: fared(was.filter(own).map(({ recorded }) => measured(recorded))),
        before: side(was, before),
        after: side(would, after),
      };
    }),
    policies: policiesOf(was, would, seconds),
    scheduler: before.scheduler,
    totals: { before: moneyOf(before.replicas, was, seconds), after: moneyOf(after.replicas, would, seconds) },
    notes: [
      ...sampleNotes(stretches, observed, taken),
      ...lengthNotes(kept),
      ...unservedNotes(unserved),
      ...uselessNotes(change, would),
      ...notes,
    ],
  };
}

function policiesOf(was: readonly Replayed[], would: readonly Replayed[], seconds: number): WhatIfAnswer['policies'] {
  const all = [...names(was, ({ recorded }) => recorded.policy), ...names([...was, ...would], ({ policy }) => policy.name)];
  return [...new Set(all)].sort(compareText).map((policy) => {
    const seen = was.filter(({ recorded }) => recorded.policy === policy);
    return {
      policy,
      observed: seen.length === 0 ? null : fared(seen.map(({ recorded }) => measured(recorded))),
      before: policyFared(policy, was, seconds),
      after: policyFared(policy, would, seconds),
    };
  });
}

function policyFared(name: string, replayed: readonly Replayed[], seconds: number): PolicyFared | null {
  const own = replayed.filter(({ policy }) => policy.name === name);
  const [first] = own;
  if (!first) return null;
  const { targets, value } = first.policy;
  const figures = fared(own.map(simulated));
  const missed = own.filter(({ request }) => !request.attained).length;
  const usd = value && (figures.requests - figures.unserved) * value.usdPerRequest - missed * value.usdPerViolation;
  return {
    ...figures,
    targetAttainment: targets.attainment,
    worthUsdPerHour: usd === undefined || seconds === 0 ? null : (usd * 3600) / seconds,
  };
}

function countedPart({ fromMs, untilMs, requests }: Stretch, isSample: boolean): { fromMs: number; untilMs: number } {
  if (!isSample || requests.length === 0) return { fromMs, untilMs };
  const at = (share: number) => requests[Math.floor(share * (requests.length - 1))]!.acceptedAtMs;
  return { fromMs: at(EDGE_BEFORE), untilMs: at(1 - EDGE_AFTER) };
}

function unservedDeployments(stretches: readonly Stretch[], { replicas }: Situation): Map<string, number> {
  const serving = new Set(replicas.map((r) => r.deployment));
  const without = new Map<string, number>();
  for (const { deployment } of stretches.flatMap((s) => s.requests)) {
    if (!serving.has(deployment)) without.set(deployment, (without.get(deployment) ?? 0) + 1);
  }
  return without;
}

function sampleNotes(stretches: readonly Stretch[], observed: number, taken: number): string[] {
  if (observed === 0) return ['no request was observed in that time: there is nothing to replay'];
  if (taken >= observed) return [];
  const [before, after] = [EDGE_BEFORE, EDGE_AFTER].map((share) => `${share * 100} %`);
  const part = `${taken} of ${counted(observed, 'request')}, in ${counted(stretches.length, 'stretch', 'stretches')} spread over the time`;
  return [`a sample: ${part}; each begins with idle engines, so its first ${before} and last ${after} are replayed and not counted`];
}

function lengthNotes(stretches: readonly Stretch[]): string[] {
  const unknown = stretches.flatMap((s) => s.requests).filter((r) => r.outputTokens === null).length;
  return unknown === 0 ? [] : [`${counted(unknown, 'request')} had no answer of known length: replayed with the predicted one`];
}

function unservedNotes(unserved: ReadonlyMap<string, number>): string[] {
  return [...unserved].map(([name, requests]) => `${name} has no replica that serves: ${counted(requests, 'request')} left out`);
}

/** A policy that never applies changes nothing, and looks like one that is kept. */
function uselessNotes({ policies }: WhatIfChange, would: readonly Replayed[]): string[] {
  const applied = new Set(would.map(({ policy }) => policy.name));
  const useless = would.length === 0 ? [] : policies.filter(({ name }) => !applied.has(name));
  return useless.map(({ name }) => `no request falls under SloPolicy ${name}: others match more exactly, or it matches none`);
}

function names<T>(items: readonly T[], nameOf: (item: T) => string): string[] {
  return [...new Set(items.map(nameOf))].sort(compareText);
}
