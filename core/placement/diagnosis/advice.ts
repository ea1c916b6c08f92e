/**
 * What one change of accelerators would do to a deployment: a replica more or fewer, or one of its replicas over twice or half as many accelerators.
 * By the planner's own shapes and capacities, were there room for it; replicas share the demand in proportion to what they can serve.
 */
import type { HostState } from '../../domain/fleet.ts';
import type { Replica } from '../../domain/replica.ts';
import { steadyState } from '../capacity/steady.ts';
import { workloadOf } from '../capacity/workload.ts';
import { pricePerHour } from '../cost.ts';
import type { Shape, ShapeBook } from '../shapes.ts';
import type { DeploymentDemand, Prices } from '../types.ts';
import { describeTargets, perSecond } from '../wording.ts';
import { ms } from './binding.ts';
import type { Advice, ChangeKind, Option, Outcome } from './types.ts';

/** A replica on its host, as the planner sees it. */
export interface Placed {
  replica: Pick<Replica, 'host' | 'acceleratorKind' | 'tensorParallel'>;
  host: HostState;
  shape: Shape;
}

export interface Advised {
  /** With the demand to be served. */
  deployment: DeploymentDemand;
  observed: boolean;
  placed: readonly Placed[];
}

/** Differences below it are the capacity model's steps, and no reason for anything. */
const NOTEWORTHY = 0.02;

export function adviceFor(advised: Advised, book: ShapeBook, prices: Prices): Advice[] {
  const { deployment, observed, placed } = advised;
  const kinds = new Map(placed.map((p) => [`${p.replica.acceleratorKind}/${p.replica.tensorParallel}`, p]));
  return [...kinds.values()].map((focus): Advice => {
    const { acceleratorKind, tensorParallel } = focus.replica;
    const now = outcomeOf(deployment, placed, focus, prices);
    return {
      deployment: deployment.spec.name,
      ...{ acceleratorKind, tensorParallel, targets: deployment.targets },
      replicas: placed.filter((p) => isAlike(p, focus)).length,
      allReplicas: placed.length,
      demand: deployment.demand,
      observed,
      now,
      options: optionsFor(advised, focus, now, book, prices),
    };
  });
}

const isAlike = (a: Placed, b: Placed) =>
  a.replica.acceleratorKind === b.replica.acceleratorKind && a.replica.tensorParallel === b.replica.tensorParallel;

function optionsFor({ deployment, placed }: Advised, focus: Placed, now: Outcome, book: ShapeBook, prices: Prices): Option[] {
  const { acceleratorKind, tensorParallel } = focus.replica;
  const others = placed.filter((p) => p !== focus);
  const option = (change: ChangeKind, width: number, accelerators: number, after: readonly Placed[], at: Placed | undefined): Option => {
    const outcome = at ? outcomeOf(deployment, after, at, prices) : null;
    const shape = { change, acceleratorKind, tensorParallel: width, accelerators, outcome };
    return { ...shape, ...judged(shape, now, deployment) };
  };
  const reshaped = (change: ChangeKind, width: number): Option[] => {
    // A host without so many accelerators of the kind is no question of what they would gain.
    if (width < 1 || !Number.isInteger(width) || width > focus.host.accelerators.filter((k) => k === acceleratorKind).length) return [];
    const shape = book.shape(deployment, focus.host, acceleratorKind, width);
    const changed = shape ? { ...focus, replica: { ...focus.replica, tensorParallel: width }, shape } : undefined;
    return [option(change, width, width - tensorParallel, changed ? [...others, changed] : [], changed)];
  };
  return [
    option('add-replica', tensorParallel, tensorParallel, [...placed, focus], focus),
    option('remove-replica', tensorParallel, -tensorParallel, others, others.find((p) => isAlike(p, focus)) ?? others[0]),
    ...reshaped('widen', tensorParallel * 2),
    ...reshaped('narrow', tensorParallel / 2),
  ];
}

function outcomeOf({ demand, variations = {} }: DeploymentDemand, placed: readonly Placed[], focus: Placed, prices: Prices): Outcome {
  const total = placed.reduce((sum, p) => sum + p.shape.capacity.requestsPerSecond, 0);
  const own = (demand.requestsPerSecond * focus.shape.capacity.requestsPerSecond) / total;
  // At no rate at all there is nobody whose latency it would be: that of the first who comes.
  const steady = steadyState(workloadOf(focus.shape.speed, demand, variations), Math.max(own, 1e-6) / 1000);
  const hourly = placed.map((p) => {
    const each = pricePerHour(prices, p.replica.host, p.replica.acceleratorKind);
    return each === null ? null : each * p.replica.tensorParallel;
  });
  return {
    requestsPerSecond: total,
    meetsSlo: placed.every((p) => p.shape.capacity.meetsSlo),
    ttftMs: steady?.ttftMs ?? null,
    tpotMs: steady && steady.decodingMs / demand.outputTokens,
    usdPerHour: hourly.includes(null) ? null : hourly.reduce<number>((sum, usd) => sum + usd!, 0),
  };
}

function judged(
  { change, outcome, accelerators }: Pick<Option, 'change' | 'outcome' | 'accelerators'>,
  now: Outcome,
  { demand, targets }: DeploymentDemand,
): Pick<Option, 'verdict' | 'message'> {
  if (!outcome) {
    const message = change === 'remove-replica' ? 'none would be left' : "does not fit the accelerators' memory";
    return { verdict: 'impossible', message };
  }
  const money = moneyText(now.usdPerHour, outcome.usdPerHour);
  const rates = `${perSecond(outcome.requestsPerSecond)} instead of ${perSecond(now.requestsPerSecond)}${latencyText(now, outcome)}`;
  const holds = outcome.requestsPerSecond >= demand.requestsPerSecond;
  const broken = now.meetsSlo && !outcome.meetsSlo;
  if (accelerators > 0) {
    const attains = !now.meetsSlo && outcome.meetsSlo;
    if (broken) return { verdict: 'loses', message: `no longer attains ${describeTargets(targets)}${money}` };
    if (!attains && outcome.requestsPerSecond <= now.requestsPerSecond * (1 + NOTEWORTHY)) {
      const less = outcome.requestsPerSecond < now.requestsPerSecond * (1 - NOTEWORTHY) ? 'less' : 'no more';
      return { verdict: 'loses', message: `more accelerators serve ${less}: ${rates}${money}` };
    }
    const factor = `${(outcome.requestsPerSecond / now.requestsPerSecond).toFixed(2)} times as much`;
    return { verdict: 'gains', message: `${attains ? `attains ${describeTargets(targets)}` : factor}: ${rates}${money}` };
  }
  if (broken) return { verdict: 'short', message: `no longer attains ${describeTargets(targets)}${money}` };
  if (!holds) {
    const short = `${perSecond(outcome.requestsPerSecond)} for the ${perSecond(demand.requestsPerSecond)} that are asked for`;
    return { verdict: 'short', message: `${short}${money}` };
  }
  const better = outcome.requestsPerSecond > now.requestsPerSecond * (1 + NOTEWORTHY) ? 'fewer accelerators serve more' : 'still enough';
  return { verdict: 'saves', message: `${better}: ${rates}${money}` };
}

function latencyText({ tpotMs: before }: Outcome, { tpotMs: after }: Outcome): string {
  return before === null || after === null ? '' : `, TPOT ${ms(after)} instead of ${ms(before)}`;
}

function moneyText(before: number | null, after: number | null): string {
  if (before === null || after === null) return '';
  const more = after - before;
  return more < 0 ? `, and saves ${(-more).toFixed(2)} USD/h` : `, for ${more.toFixed(2)} USD/h more`;
}
