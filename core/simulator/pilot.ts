/**
 * What a pilot comes to: how requests fared as they were scheduled, how they would have fared in `auto` mode on the same replicas, and how far
 * to believe either. Made of a what-if whose one change is the mode.
 */
import { counted } from '../domain/counted.ts';
import type { DeploymentMode } from '../domain/deployment.ts';
import type { DeploymentOutlook } from '../domain/plan.ts';
import { type Fared, type Money, usdPerHourOf } from './fared.ts';
import type { WhatIfAnswer } from './what-if.ts';
import { NO_CHANGE } from './what-if-change.ts';
import { type PresentFleet, situations } from './what-if-fleet.ts';

export interface PilotEvidence {
  deployment: string;
  mode: DeploymentMode;
  modeSinceMs: number;
  fromMs: number;
  present: PresentFleet;
  answer: WhatIfAnswer;
  /** Of the newest proposal that nothing has become of yet; null where there is none. */
  proposed: DeploymentOutlook | null;
}

export interface PilotAttainment {
  policy: string;
  targetAttainment: number;
  /** On which it rests. */
  requests: number;
  /** Shares of them that met every target, 0 to 1: measured; replayed as they are scheduled now; replayed as in `auto` mode. */
  observed: number | null;
  now: number | null;
  wouldBe: number | null;
  /** Half of the 95 % interval of the observed share, by chance alone; null of nothing. */
  margin: number | null;
  /** Are there enough to go by? */
  suffices: boolean;
}

export interface PilotResult {
  policies: PilotAttainment[];
  /** Latencies of the deployment; null where nothing was replayed. */
  latencies: { observed: Fared; now: Fared; wouldBe: Fared } | null;
  money: { now: PilotMoney; wouldBe: PilotMoney };
  notes: string[];
}

export type PilotMoney = Pick<Money, 'replicas' | 'usdPerHour'>;

/** With fewer, a policy's attainment says little. */
export const ENOUGH_REQUESTS = 300;
/** Two-sided 95 % of the normal distribution. */
const Z = 1.96;

export function pilotResult({ deployment, mode, modeSinceMs, fromMs, present, answer, proposed }: PilotEvidence): PilotResult {
  const own = answer.deployments.find((d) => d.deployment === deployment);
  const policies = answer.policies.map(({ policy, observed, before, after }): PilotAttainment => {
    const requests = observed?.requests ?? 0;
    return {
      policy,
      targetAttainment: (before ?? after)?.targetAttainment ?? 0,
      requests,
      observed: observed?.attainment ?? null,
      now: before?.attainment ?? null,
      wouldBe: after?.attainment ?? null,
      margin: marginOf(observed?.attainment ?? null, requests),
      suffices: requests >= ENOUGH_REQUESTS,
    };
  });
  const now = presentMoney(present, deployment);
  return {
    policies,
    latencies: own ? { observed: own.observed, now: withoutMoney(own.before), wouldBe: withoutMoney(own.after) } : null,
    money: { now, wouldBe: proposed ? { replicas: proposed.after.replicas, usdPerHour: proposed.after.usdPerHour } : now },
    notes: [...modeNotes(mode, modeSinceMs, fromMs), ...policies.flatMap(policyNotes), ...answer.notes],
  };
}

function withoutMoney({ replicas: _, usdPerHour: __, usdPerThousandRequests: ___, ...fared }: Fared & Money): Fared {
  return fared;
}

/** Of the replicas that serve, whether or not anything was asked of them. */
function presentMoney(present: PresentFleet, deployment: string): PilotMoney {
  const { replicas } = situations(present, NO_CHANGE).before;
  const own = replicas.filter((r) => r.deployment === deployment);
  return { replicas: own.length, usdPerHour: usdPerHourOf(own) };
}

/** Agresti and Coull's interval, which holds for shares near 0 and 1 as well. Source: The American Statistician 52(2), 1998. */
function marginOf(share: number | null, requests: number): number | null {
  if (share === null || requests === 0) return null;
  const n = requests + Z ** 2;
  const p = (share * requests + Z ** 2 / 2) / n;
  return Z * Math.sqrt((p * (1 - p)) / n);
}

const points = (share: number) => `${(100 * share).toFixed(1)} points`;

function policyNotes({ policy, requests, observed, now, wouldBe, margin, suffices }: PilotAttainment): string[] {
  const few = `${policy}: ${counted(requests, 'request')} are too few to go by (${ENOUGH_REQUESTS} are enough)`;
  const notes = suffices ? [] : [margin === null ? few : `${few}: attainment is known to ± ${points(margin)}`];
  if (observed === null || now === null || wouldBe === null) return notes;
  const [off, gain] = [Math.abs(now - observed), Math.abs(wouldBe - now)];
  if (gain > 0 && off > gain)
    notes.push(
      `${policy}: the replay is off by ${points(off)} from what was observed, more than the ${points(gain)} that it finds between the modes`,
    );
  return notes;
}

function modeNotes(mode: DeploymentMode, sinceMs: number, fromMs: number): string[] {
  const notes =
    mode === 'shadow' ? [] : [`requests are scheduled in ${mode} mode as in auto: \`uellm what-if --mode\` compares with shadow`];
  if (sinceMs <= fromMs) return notes;
  return [`in ${mode} mode since ${new Date(sinceMs).toISOString()}: what was observed before was scheduled in another mode`, ...notes];
}
