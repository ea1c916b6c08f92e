/** The shapes a model can take on a host: accelerator kind and tensor parallelism that fit memory, and what each can serve. */
import { type AcceleratorKind, findAcceleratorKind } from '../domain/accelerators.ts';
import type { HostState } from '../domain/fleet.ts';
import { intraHostLink, SLOW_LINK_BYTES_PER_SECOND } from '../domain/links.ts';
import { kvCacheTokens, memorySettings } from '../domain/memory.ts';
import type { ModelShape } from '../domain/model-spec.ts';
import { derivedStepTime, priorStepTime, type StepTimeProfile, type StepTimeSource } from '../domain/step-time.ts';
import { type Capacity, INPUT_VARIATION, type ReplicaSpeed, replicaCapacity } from './capacity/capacity.ts';
import { isBeyondContext } from './context-length.ts';
import { logNormalQuantile } from './distributions.ts';
import type { DeploymentDemand, PlanInput } from './types.ts';

export const TENSOR_PARALLEL_WIDTHS = [1, 2, 4, 8] as const;

export interface Shape {
  acceleratorKind: string;
  tensorParallel: number;
  /** Of a pipeline: the layers of each stage, in order. */
  stageLayers?: number[];
  capacity: Capacity;
  speed: ReplicaSpeed;
  stepTimeSource: StepTimeSource;
}

export interface ShapeBook {
  /** What this deployment can serve on that many accelerators of a host; null where it does not fit their memory. */
  shape(deployment: DeploymentDemand, host: HostState, kind: string, tensorParallel: number): Shape | null;
  /**
   * Every shape worth a look on a host, were it empty. Across a slow link only the narrowest that fits: wider is no faster there,
   * all-reduces take what the accelerators gain.
   */
  shapesOn(deployment: DeploymentDemand, host: HostState): Shape[];
}

/** A deployment on a shape, as `PlanInput.capacityFactors` names it. */
export function shapeKey(
  deployment: string,
  { acceleratorKind, tensorParallel, stageLayers }: Pick<Shape, 'acceleratorKind' | 'tensorParallel' | 'stageLayers'>,
): string {
  return `${deployment}/${acceleratorKind}/${tensorParallel}${stageLayers ? `/${stageLayers.join('+')} layers` : ''}`;
}

/** Capacities are the same for all hosts of one kind: each is computed once. */
export function openShapeBook({
  models,
  stepTimes,
  capacityFactors = {},
}: Pick<PlanInput, 'models' | 'stepTimes' | 'capacityFactors'>): ShapeBook {
  const known = new Map<string, Shape | null>();
  const book: ShapeBook = {
    shape(deployment, host, kind, tensorParallel) {
      const accelerator = findAcceleratorKind(kind);
      const model = models[deployment.spec.model];
      if (!accelerator || !model) return null;
      const link = intraHostLink(host.links, accelerator).bandwidthBytesPerSecond;
      const key = `${deployment.spec.name}/${kind}/${tensorParallel}/${link}`;
      const found = known.get(key);
      if (found !== undefined) return found;
      const made = makeShape(deployment, model, accelerator, tensorParallel, link, stepTimes);
      const corrected = made && withFactor(made, capacityFactors[shapeKey(deployment.spec.name, made)] ?? 1);
      known.set(key, corrected);
      return corrected;
    },
    shapesOn(deployment, host) {
      return [...new Set(host.accelerators)].flatMap((kind) => {
        const accelerator = findAcceleratorKind(kind);
        if (!accelerator) return [];
        const count = host.accelerators.filter((k) => k === kind).length;
        const fitting = widthsOf(deployment)
          .filter((width) => width <= count)
          .flatMap((width) => book.shape(deployment, host, kind, width) ?? []);
        const slow = intraHostLink(host.links, accelerator).bandwidthBytesPerSecond < SLOW_LINK_BYTES_PER_SECOND;
        return slow ? fitting.slice(0, 1) : fitting;
      });
    },
  };
  return book;
}

/** A deployment may fix the width by its engine's own flag. */
export function widthsOf({ spec }: DeploymentDemand): readonly number[] {
  const fixed = spec.engine.args['tensor-parallel-size'];
  return fixed === undefined ? TENSOR_PARALLEL_WIDTHS : [Number(fixed)];
}

/** KV cache of at least one long request (or of the context length that the engine is told to promise), tokens. */
export function leastKvCacheTokens({ spec, demand }: DeploymentDemand, model: ModelShape): number {
  const promised = spec.engine.args['max-model-len'];
  if (promised !== undefined) return Number(promised);
  const mean = demand.inputTokens + demand.outputTokens;
  const long = logNormalQuantile(0.9, mean, (mean * INPUT_VARIATION) ** 2);
  return Math.min(model.maxContextTokens, Math.max(4096, long));
}

function makeShape(
  deployment: DeploymentDemand,
  model: ModelShape,
  accelerator: AcceleratorKind,
  tensorParallel: number,
  linkBytesPerSecond: number,
  stepTimes: readonly StepTimeProfile[],
): Shape | null {
  if (model.attentionHeads % tensorParallel !== 0 || isBeyondContext(deployment, model)) return null;
  const tokens = kvCacheTokens(model, accelerator, tensorParallel, memorySettings(deployment.spec.engine.args));
  if (tokens < leastKvCacheTokens(deployment, model)) return null;
  const profile = stepTimeOf(model, accelerator, tensorParallel, linkBytesPerSecond, stepTimes);
  const speed = { stepTime: profile.coefficients, kvCacheTokens: tokens };
  return {
    acceleratorKind: accelerator.id,
    tensorParallel,
    capacity: replicaCapacity(speed, deployment.demand, deployment.targets, deployment.variations),
    speed,
    stepTimeSource: profile.source,
  };
}

/** What simulation has found the capacity to be, relative to the closed form; 0 where the SLO cannot be met at all. */
export function withFactor(shape: Shape, factor: number): Shape {
  const { capacity } = shape;
  if (factor === 1 || !capacity.meetsSlo) return shape;
  const requestsPerSecond = capacity.requestsPerSecond * (factor || 1);
  return { ...shape, capacity: { ...capacity, requestsPerSecond, meetsSlo: factor > 0 } };
}

/** Calibrated on a live replica, else the prior; a fast kind behind a slow link is not as fast as its measurements say. */
function stepTimeOf(
  model: ModelShape,
  accelerator: AcceleratorKind,
  tensorParallel: number,
  linkBytesPerSecond: number,
  stepTimes: readonly StepTimeProfile[],
): StepTimeProfile {
  const calibrated = stepTimes.find(
    (p) => p.model === model.name && p.accelerator === accelerator.id && p.tensorParallel === tensorParallel,
  );
  if (calibrated) return calibrated;
  const slowed =
    linkBytesPerSecond < SLOW_LINK_BYTES_PER_SECOND && (accelerator.linkBandwidthBytesPerSecond ?? 0) >= SLOW_LINK_BYTES_PER_SECOND;
  return tensorParallel > 1 && slowed
    ? derivedStepTime(model, accelerator, tensorParallel, linkBytesPerSecond)
    : priorStepTime(model, accelerator, tensorParallel);
}
