/**
 * Pipelines for the fleet planner: within a host where they serve a request at less money than tensor parallelism does there, and across
 * hosts and kinds, as HELR cuts them, for models that no host holds at any width.
 */
import { isSchedulable } from '../../domain/fleet.ts';
import { memorySettings } from '../../domain/memory.ts';
import type { ModelShape } from '../../domain/model-spec.ts';
import { replicaCapacity } from '../capacity.ts';
import { isAllowed } from '../choose.ts';
import { pricePerHour } from '../cost.ts';
import {
  type FreeHost,
  type PipelineShape,
  type PipelineStage,
  type PipelineWish,
  pipelinesAcross,
  pipelinesWithin,
} from '../helr/pipeline-shapes.ts';
import { occupancyOf } from '../occupancy.ts';
import { leastKvCacheTokens, type Shape, shapeKey, widthsOf, withFactor } from '../shapes.ts';
import type { DeploymentDemand } from '../types.ts';
import type { FleetInput, Pool, PoolHost } from './problem.ts';

/** A decoding batch as HELR weighs it: neither idle nor full. */
const BATCH_SEQUENCES = 16;
/** Accelerators of a pipeline within a host; powers of two pack as other widths do. */
const WIDTHS_WITHIN = [2, 4, 8];

/** Pipelines within one host of a pool that attain the SLO. */
export type PipelineBook = (deployment: DeploymentDemand, pool: Pool) => Shape[];

/** They are the same on all pools of one kind behind the same links: each is computed once. */
export function openPipelineBook(input: FleetInput): PipelineBook {
  const known = new Map<string, Shape[]>();
  return (deployment, { kind, hosts }) => {
    const widest = hosts.reduce<PoolHost>((a, b) => (b.accelerators.length > a.accelerators.length ? b : a), hosts[0]!);
    const free = widest.accelerators.slice(0, Math.max(...WIDTHS_WITHIN));
    const key = JSON.stringify([deployment.spec.name, kind, widest.host.links, free.length]);
    const found = known.get(key) ?? shapesWithin(input, deployment, kind, { host: widest.host, free });
    known.set(key, found);
    return found;
  };
}

function shapesWithin(input: FleetInput, deployment: DeploymentDemand, kind: string, freeHost: FreeHost): Shape[] {
  const model = input.models[deployment.spec.model];
  if (!model) return [];
  return pipelinesWithin(wishOf(input, deployment, model), freeHost)
    .filter(({ stages }) => WIDTHS_WITHIN.includes(stages.length * stages[0]!.tensorParallel))
    .map((pipeline) => shapeOf(input, deployment, pipeline, kind))
    .filter((shape) => shape.capacity.meetsSlo && shape.capacity.requestsPerSecond > 0);
}

export interface SpanningPipeline {
  deployment: DeploymentDemand;
  shape: Shape;
  stages: PipelineStage[];
  usdPerHour: number;
}

/** Pipelines across hosts for one deployment, one after the other, until its demand is met or none attains the SLO any more. */
export function pipelinesSpanning(input: FleetInput, deployment: DeploymentDemand): SpanningPipeline[] {
  const model = input.models[deployment.spec.model];
  if (!model) return [];
  const occupancy = occupancyOf(input.hosts, input.replicas);
  const wish = wishOf(input, deployment, model);
  const placed: SpanningPipeline[] = [];
  let left = deployment.demand.requestsPerSecond;
  while (left > 1e-9 * deployment.demand.requestsPerSecond && placed.length < deployment.spec.replicas.max) {
    const hosts = input.hosts.filter(isSchedulable).map((host) => {
      const usable = (kind: string) => isAllowed(deployment, host, kind) && pricePerHour(input.prices, host.name, kind) !== null;
      return { host, free: [...host.accelerators.keys()].filter((i) => occupancy.isFree(host.name, i) && usable(host.accelerators[i]!)) };
    });
    const [best] = pipelinesAcross(wish, hosts)
      .map((pipeline) => spanning(input, deployment, pipeline))
      .filter(({ shape }) => shape.capacity.meetsSlo && shape.capacity.requestsPerSecond > 0)
      .sort((a, b) => usdPerRequest(a, left) - usdPerRequest(b, left));
    if (!best) break;
    for (const stage of best.stages) occupancy.hold(stage.host, stage.accelerators);
    left -= best.shape.capacity.requestsPerSecond;
    placed.push(best);
  }
  return placed;
}

function usdPerRequest({ shape, usdPerHour }: SpanningPipeline, wanted: number): number {
  return usdPerHour / Math.min(shape.capacity.requestsPerSecond, wanted);
}

function spanning(input: FleetInput, deployment: DeploymentDemand, pipeline: PipelineShape): SpanningPipeline {
  const { stages } = pipeline;
  const usd = stages.map((s) => pricePerHour(input.prices, s.host, s.acceleratorKind)! * s.accelerators.length);
  const kinds = [...new Set(stages.map((s) => s.acceleratorKind))];
  return { deployment, stages, shape: shapeOf(input, deployment, pipeline, kinds.join('+')), usdPerHour: usd.reduce((a, b) => a + b, 0) };
}

function wishOf({ prices }: FleetInput, deployment: DeploymentDemand, model: ModelShape): PipelineWish {
  const { inputTokens, outputTokens } = deployment.demand;
  return {
    model,
    widths: widthsOf(deployment),
    memory: memorySettings(deployment.spec.engine.args),
    leastKvCacheTokens: leastKvCacheTokens(deployment, model),
    batch: { sequences: BATCH_SEQUENCES, contextTokens: inputTokens + outputTokens / 2 },
    ...(deployment.targets?.tpotMs === undefined ? {} : { tpotMs: deployment.targets.tpotMs }),
    prices,
  };
}

function shapeOf(
  input: FleetInput,
  { spec, demand, targets, variations }: DeploymentDemand,
  pipeline: PipelineShape,
  acceleratorKind: string,
): Shape {
  const speed = { stepTime: pipeline.stepTime, kvCacheTokens: pipeline.kvCacheTokens };
  const shape: Shape = {
    acceleratorKind,
    tensorParallel: pipeline.stages[0]!.tensorParallel,
    stageLayers: pipeline.stages.map((s) => s.layers),
    capacity: replicaCapacity(speed, demand, targets, variations),
    speed,
    stepTimeSource: pipeline.source,
  };
  return withFactor(shape, input.capacityFactors?.[shapeKey(spec.name, shape)] ?? 1);
}
