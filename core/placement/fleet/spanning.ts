/**
 * Pipelines across hosts and kinds, as HELR cuts them, for models that no host holds at any width, and those that are there already. They
 * have no place in the program: their turn comes before it or after it (`turns.ts`). What they take is gone for the others, what they serve
 * is served, and what keeps apart from them keeps off their hosts.
 */
import { isSchedulable } from '../../domain/fleet.ts';
import type { ModelShape } from '../../domain/model-spec.ts';
import { holdsAccelerators } from '../../domain/replica.ts';
import { apartOf } from '../affinity.ts';
import { isAllowed } from '../choose.ts';
import { isBeyondContext } from '../context-length.ts';
import { pricePerHour } from '../cost.ts';
import { type PipelineShape, type PipelineStage, pipelineOn, pipelinesAcross } from '../helr/pipeline-shapes.ts';
import { type Occupancy, occupancyOf } from '../occupancy.ts';
import type { Shape } from '../shapes.ts';
import type { DeploymentDemand } from '../types.ts';
import { movePricePerHour } from './move-cost.ts';
import { pipelineShape, pipelineWish } from './pipelines.ts';
import type { FleetInput } from './problem.ts';

/** A pipeline across hosts that is there already. */
export interface PresentPipeline {
  id: string;
  deployment: string;
  stages: PipelineStage[];
}

export interface SpanningPipeline {
  deployment: DeploymentDemand;
  shape: Shape;
  stages: PipelineStage[];
  usdPerHour: number;
  /** Of the present pipeline that stays. */
  presentId?: string;
}

export interface SpanningWish {
  deployment: string;
  /** What it may have: what its demand takes, its least number of replicas, or what is there. */
  upTo: 'demand' | 'minimum' | 'present';
}

/** @returns the pipelines, and what is left to plan */
export function withoutSpanning(
  input: FleetInput,
  wishes: readonly SpanningWish[],
  priceMoves: boolean,
): { input: FleetInput; spanning: SpanningPipeline[] } {
  const apart = apartOf(input.deployments.map((d) => d.spec));
  const spanning: SpanningPipeline[] = [];
  let rest = input;
  for (const { deployment: name, upTo } of wishes) {
    const own = rest.deployments.find((d) => d.spec.name === name)!;
    const deployment = upTo === 'minimum' ? { ...own, demand: { ...own.demand, requestsPerSecond: 0 } } : own;
    const placed = pipelinesSpanning(rest, deployment, apart.get(name) ?? new Set(), { priceMoves, mayAdd: upTo !== 'present' });
    if (placed.length === 0) continue;
    spanning.push(...placed);
    rest = withoutTaken(rest, name, placed, apart);
  }
  return { input: rest, spanning };
}

/** The input without the accelerators that replicas of a deployment take, and what they serve. */
export function withoutTaken(
  input: FleetInput,
  name: string,
  placed: readonly { shape: Shape; stages: readonly Pick<PipelineStage, 'host' | 'accelerators'>[] }[],
  apart: ReadonlyMap<string, ReadonlySet<string>>,
): FleetInput {
  const stages = placed.flatMap((p) => p.stages);
  const hosts = [...new Set(stages.map((s) => s.host))];
  const served = placed.reduce((sum, p) => sum + p.shape.capacity.requestsPerSecond, 0);
  return {
    ...input,
    hosts: input.hosts.map((h) => ({
      ...h,
      absent: [...(h.absent ?? []), ...stages.flatMap((s) => (s.host === h.name ? s.accelerators : []))],
    })),
    deployments: input.deployments.map((d) => {
      const left = d.spec.name === name ? withServed(d, served, placed.length) : d;
      return apart.get(name)?.has(d.spec.name) ? { ...left, shutOut: [...(left.shutOut ?? []), ...hosts] } : left;
    }),
  };
}

function withServed({ spec, demand, ...rest }: DeploymentDemand, requestsPerSecond: number, replicas: number): DeploymentDemand {
  const left = demand.requestsPerSecond - requestsPerSecond;
  return {
    ...rest,
    spec: { ...spec, replicas: { ...spec.replicas, min: Math.max(0, spec.replicas.min - replicas) } },
    demand: { ...demand, requestsPerSecond: left > 1e-6 * demand.requestsPerSecond ? left : 0 },
  };
}

/** Those of one deployment. What is there is kept where that leaves as little undone, and costs no more than to bring others up. */
function pipelinesSpanning(
  input: FleetInput,
  deployment: DeploymentDemand,
  apart: ReadonlySet<string>,
  { priceMoves, mayAdd }: { priceMoves: boolean; mayAdd: boolean },
): SpanningPipeline[] {
  const model = input.models[deployment.spec.model];
  if (!model || isBeyondContext(deployment, model)) return [];
  const present = presentPipelines(input, deployment, model);
  const kept = fill(input, deployment, model, apart, present, mayAdd);
  if (present.length === 0 || !mayAdd) return kept;
  const anew = fill(input, deployment, model, apart, [], mayAdd).map((p) => {
    const same = present.find((there) => JSON.stringify(there.stages) === JSON.stringify(p.stages));
    return same ?? p;
  });
  const keys = (placed: readonly SpanningPipeline[]) => {
    const { missing, unmet } = shortOf(deployment, placed);
    const moved = priceMoves ? placed.filter((p) => p.presentId === undefined) : [];
    const usd = placed.reduce((sum, p) => sum + p.usdPerHour, 0) + moved.reduce((sum, p) => sum + movePricePerHour(model, p.usdPerHour), 0);
    return [missing, unmet, usd];
  };
  const [before, after] = [keys(kept), keys(anew)];
  const at = before.findIndex((key, i) => Math.abs(key - after[i]!) > 1e-9);
  return at >= 0 && after[at]! < before[at]! ? anew : kept;
}

/** One after the other, until the demand is met or none attains the SLO any more; what later ones made superfluous goes again. */
function fill(
  input: FleetInput,
  deployment: DeploymentDemand,
  model: ModelShape,
  apart: ReadonlySet<string>,
  present: readonly SpanningPipeline[],
  mayAdd: boolean,
): SpanningPipeline[] {
  const others = (input.pipelines ?? []).filter((p) => p.deployment !== deployment.spec.name).flatMap((p) => p.stages);
  const occupancy = occupancyOf(input.hosts, input.replicas);
  for (const { host, accelerators } of others) occupancy.hold(host, accelerators);
  const shut = new Set(input.replicas.filter((r) => apart.has(r.deployment) && holdsAccelerators(r.state)).map((r) => r.host));
  let placed: SpanningPipeline[] = [];
  const put = (pipeline: SpanningPipeline) => {
    placed.push(pipeline);
    for (const { host, accelerators } of pipeline.stages) {
      occupancy.hold(host, accelerators);
      if (apart.has(deployment.spec.name)) shut.add(host);
    }
  };
  const isShort = (some: readonly SpanningPipeline[]) => {
    const { missing, unmet } = shortOf(deployment, some);
    return missing + unmet > 0;
  };
  const { max } = deployment.spec.replicas;
  for (const pipeline of present) {
    const stays = pipeline.stages.every(
      ({ host, accelerators }) => !shut.has(host) && accelerators.every((index) => occupancy.isFree(host, index)),
    );
    if (stays && isShort(placed) && placed.length < max) put(pipeline);
  }
  while (mayAdd && isShort(placed) && placed.length < max) {
    const next = cheapestNew(input, deployment, model, occupancy, shut, shortOf(deployment, placed).unmet);
    if (!next) break;
    put(next);
  }
  if (isShort(placed)) return placed;
  for (const pipeline of [...placed].sort((a, b) => b.usdPerHour - a.usdPerHour)) {
    const rest = placed.filter((p) => p !== pipeline);
    if (!isShort(rest)) placed = rest;
  }
  return placed;
}

function shortOf({ spec, demand }: DeploymentDemand, placed: readonly SpanningPipeline[]): { missing: number; unmet: number } {
  const left = placed.reduce((rate, p) => rate - p.shape.capacity.requestsPerSecond, demand.requestsPerSecond);
  return { missing: Math.max(0, spec.replicas.min - placed.length), unmet: left > 1e-9 * demand.requestsPerSecond ? left : 0 };
}

function cheapestNew(
  input: FleetInput,
  deployment: DeploymentDemand,
  model: ModelShape,
  occupancy: Occupancy,
  shut: ReadonlySet<string>,
  wanted: number,
): SpanningPipeline | undefined {
  const hosts = input.hosts
    .filter((host) => isSchedulable(host) && !shut.has(host.name))
    .map((host) => {
      const usable = (index: number) => occupancy.isFree(host.name, index) && isUsable(input, deployment, host.name, index);
      return { host, free: [...host.accelerators.keys()].filter(usable) };
    });
  const price = ({ shape, usdPerHour }: SpanningPipeline) =>
    wanted > 0 ? usdPerHour / Math.min(shape.capacity.requestsPerSecond, wanted) : usdPerHour;
  const [best] = pipelinesAcross(pipelineWish(input, deployment, model), hosts)
    .map((pipeline) => spanning(input, deployment, pipeline))
    .filter(attains)
    .sort((a, b) => price(a) - price(b));
  return best;
}

function presentPipelines(input: FleetInput, deployment: DeploymentDemand, model: ModelShape): SpanningPipeline[] {
  const open = new Map(input.hosts.filter(isSchedulable).map((h) => [h.name, h]));
  return (input.pipelines ?? []).flatMap(({ id, deployment: name, stages }) => {
    const usable = stages.every((s) => open.has(s.host) && s.accelerators.every((index) => isUsable(input, deployment, s.host, index)));
    if (name !== deployment.spec.name || !usable) return [];
    const pipeline = pipelineOn(pipelineWish(input, deployment, model), [...open.values()], stages);
    const there = pipeline && { ...spanning(input, deployment, pipeline), presentId: id };
    return there && attains(there) ? [there] : [];
  });
}

/** May the deployment have this accelerator, whoever holds it now? */
function isUsable({ hosts, prices }: FleetInput, deployment: DeploymentDemand, name: string, index: number): boolean {
  const host = hosts.find((h) => h.name === name)!;
  const kind = host.accelerators[index];
  return kind !== undefined && isAllowed(deployment, host, kind) && pricePerHour(prices, name, kind) !== null;
}

function attains({ shape }: SpanningPipeline): boolean {
  return shape.capacity.meetsSlo && shape.capacity.requestsPerSecond > 0;
}

function spanning(input: FleetInput, deployment: DeploymentDemand, pipeline: PipelineShape): SpanningPipeline {
  const { stages } = pipeline;
  const usd = stages.map((s) => pricePerHour(input.prices, s.host, s.acceleratorKind)! * s.accelerators.length);
  const kinds = [...new Set(stages.map((s) => s.acceleratorKind))];
  return {
    ...{ deployment, stages, shape: pipelineShape(input, deployment, pipeline, kinds.join('+')) },
    usdPerHour: usd.reduce((a, b) => a + b, 0),
  };
}
