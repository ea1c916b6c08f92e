/**
 * Whose turn it is where some deployments need pipelines across hosts, which no program has: all that they want first, or their least
 * number first, or the others first; in the end whoever is short gets what is left. Of these plans the one that leaves least undone is
 * taken, then the cheapest, so that a large model takes from the others only what that brings.
 *
 * The bounds are those of the others alone, on all accelerators: no plan does better by them.
 */

import { apartOf } from '../affinity.ts';
import type { PipelineStage } from '../helr/pipeline-shapes.ts';
import type { DeploymentDemand } from '../types.ts';
import type { FleetReplica, Unexplained } from './fleet-plan.ts';
import { movePricePerHour } from './move-cost.ts';
import type { FleetInput } from './problem.ts';
import { capacityOf, placedOf } from './relaxation/room.ts';
import { type SpanningPipeline, type SpanningWish, withoutSpanning, withoutTaken } from './spanning.ts';

const TURNS: readonly ((wanted: readonly SpanningWish[]) => SpanningWish[])[] = [
  (wanted) => [...wanted],
  (wanted) => wanted.map((wish) => (wish.upTo === 'demand' ? { ...wish, upTo: 'minimum' } : wish)),
  () => [],
];

export function planInTurns(
  input: FleetInput,
  wanted: readonly SpanningWish[],
  planOnHosts: (input: FleetInput) => Unexplained,
  priceMoves: boolean,
): Unexplained {
  const plans = TURNS.map((turn) => {
    const first = withoutSpanning(input, turn(wanted), priceMoves);
    const { replicas } = planOnHosts(first.input);
    const everything = wanted.map(({ deployment }): SpanningWish => ({ deployment, upTo: 'demand' }));
    const last = withoutSpanning(leftBy(first.input, replicas), everything, priceMoves);
    return [...replicas, ...[...first.spanning, ...last.spanning].map(spanningReplica)];
  });
  const rankOf = (replicas: readonly FleetReplica[]) => [...undone(input, replicas), moneyOf(input, replicas, priceMoves)];
  const replicas = plans.reduce((best, plan) => (isLess(rankOf(plan), rankOf(best)) ? plan : best));
  const unmetPerSecond = undone(input, replicas)[1];
  const others = planOnHosts(without(input, wanted));
  return {
    replicas,
    usdPerHour: replicas.reduce((sum, r) => sum + r.usdPerHour, 0),
    lowerBoundUsdPerHour: others.lowerBoundUsdPerHour,
    unmetPerSecond,
    lowerBoundUnmetPerSecond: Math.min(others.lowerBoundUnmetPerSecond, unmetPerSecond),
  };
}

/** What the replicas of a plan leave to whoever is short. */
function leftBy(input: FleetInput, replicas: readonly FleetReplica[]): FleetInput {
  const apart = apartOf(input.deployments.map((d) => d.spec));
  return input.deployments.reduce((rest, deployment) => {
    const own = placedOf(deployment, replicas).map((r) => ({ shape: r.shape, stages: r.stages ?? [r] }));
    return own.length > 0 ? withoutTaken(rest, deployment.spec.name, own, apart) : rest;
  }, input);
}

function without(input: FleetInput, wanted: readonly SpanningWish[]): FleetInput {
  const isWanted = ({ spec }: DeploymentDemand) => wanted.some((wish) => wish.deployment === spec.name);
  return {
    ...input,
    deployments: input.deployments.map((d) =>
      isWanted(d)
        ? { ...d, spec: { ...d.spec, replicas: { ...d.spec.replicas, min: 0 } }, demand: { ...d.demand, requestsPerSecond: 0 } }
        : d,
    ),
  };
}

function undone({ deployments }: FleetInput, replicas: readonly FleetReplica[]): [missing: number, unmetPerSecond: number] {
  let [missing, unmet] = [0, 0];
  for (const deployment of deployments) {
    const own = placedOf(deployment, replicas);
    missing += Math.max(0, deployment.spec.replicas.min - own.length);
    const left = deployment.demand.requestsPerSecond - capacityOf(own);
    if (left > 1e-6 * deployment.demand.requestsPerSecond) unmet += left;
  }
  return [missing, unmet];
}

/** USD an hour, with what bringing up new ones costs. */
function moneyOf({ models }: FleetInput, replicas: readonly FleetReplica[], priceMoves: boolean): number {
  const movePrice = (r: FleetReplica) => (priceMoves && r.presentId === undefined ? movePricePerHour(models[r.model]!, r.usdPerHour) : 0);
  return replicas.reduce((sum, r) => sum + r.usdPerHour + movePrice(r), 0);
}

function isLess(a: readonly number[], b: readonly number[]): boolean {
  const at = a.findIndex((key, i) => Math.abs(key - b[i]!) > 1e-6);
  return at >= 0 && a[at]! < b[at]!;
}

function spanningReplica({ deployment, shape, stages, usdPerHour, presentId }: SpanningPipeline): FleetReplica {
  const { name, model } = deployment.spec;
  const [{ host, accelerators }] = stages as [PipelineStage];
  return {
    ...{ deployment: name, model, host, accelerators, shape, usdPerHour, stages },
    ...(presentId === undefined ? {} : { presentId }),
  };
}
