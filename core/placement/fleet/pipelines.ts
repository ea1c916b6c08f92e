/**
 * Pipelines for the fleet planner within a host, where they serve a request at less money than tensor parallelism does there. Those across
 * hosts are in `spanning.ts`.
 */
import { memorySettings } from '../../domain/memory.ts';
import type { ModelShape } from '../../domain/model-spec.ts';
import { replicaCapacity } from '../capacity/capacity.ts';
import { isBeyondContext } from '../context-length.ts';
import { type FreeHost, type PipelineShape, type PipelineWish, pipelinesWithin } from '../helr/pipeline-shapes.ts';
import { leastKvCacheTokens, type Shape, shapeKey, widthsOf, withFactor } from '../shapes.ts';
import type { DeploymentDemand } from '../types.ts';
import type { Pool, PoolHost } from './pools.ts';
import type { FleetInput } from './problem.ts';

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
  if (!model || isBeyondContext(deployment, model)) return [];
  return pipelinesWithin(pipelineWish(input, deployment, model), freeHost)
    .filter(({ stages }) => WIDTHS_WITHIN.includes(stages.length * stages[0]!.tensorParallel))
    .map((pipeline) => pipelineShape(input, deployment, pipeline, kind))
    .filter((shape) => shape.capacity.meetsSlo && shape.capacity.requestsPerSecond > 0);
}

export function pipelineWish({ prices }: FleetInput, deployment: DeploymentDemand, model: ModelShape): PipelineWish {
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

export function pipelineShape(
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
