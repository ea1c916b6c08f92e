/**
 * Pipelines that a model can run as on free accelerators: of one kind within a host, and across kinds and hosts, chosen by HELR, where no
 * host could hold the model by tensor parallelism alone. Every pipeline is as deep as its list of stages; all stages of one have the same
 * tensor parallelism, which is what vLLM runs.
 */
import { type AcceleratorKind, findAcceleratorKind } from '../../domain/accelerators.ts';
import type { HostState } from '../../domain/fleet.ts';
import { intraHostLink, type LinkEnd, linkBetween, SLOW_LINK_BYTES_PER_SECOND } from '../../domain/links.ts';
import {
  DEFAULT_MEMORY_UTILISATION,
  KV_BLOCK_TOKENS,
  kvBytes,
  kvCacheTokens,
  type MemorySettings,
  OVERHEAD_BYTES_PER_ACCELERATOR,
} from '../../domain/memory.ts';
import type { ModelShape } from '../../domain/model-spec.ts';
import { decodeStepMs, derivedStepTime, priorStepTime, type StepTimeCoefficients, type StepTimeProfile } from '../../domain/step-time.ts';
import { pricePerHour } from '../cost.ts';
import { compareText } from '../rank.ts';
import type { Prices } from '../types.ts';
import { placeByHelr } from './helr.ts';
import { activationBytes, pipelineKvCacheTokens, pipelineStepTime, stageStepTime, transferMs } from './pipeline-step-time.ts';
import type { HelrProblem } from './problem.ts';

/** A host and which of its accelerators may be taken. */
export interface FreeHost {
  host: HostState;
  /** Indexes, lowest first. */
  free: readonly number[];
}

export interface PipelineStage {
  host: string;
  acceleratorKind: string;
  /** Indexes on the host, as many as `tensorParallel`. */
  accelerators: number[];
  tensorParallel: number;
  layers: number;
}

export interface PipelineShape {
  /** In the order of the model's layers. */
  stages: PipelineStage[];
  /** Of the whole pipeline as one engine. */
  stepTime: StepTimeCoefficients;
  kvCacheTokens: number;
  /** `derived` if the step time of any stage is. */
  source: 'measured' | 'derived';
}

export interface PipelineWish {
  model: ModelShape;
  /** Tensor parallelism that a stage may have. */
  widths: readonly number[];
  /** What the engine is told about its memory; its defaults where absent. */
  memory?: MemorySettings;
  /** KV cache below which a pipeline is of no use. */
  leastKvCacheTokens: number;
  /** What HELR takes for one batch step: decoding sequences, and the context of each. */
  batch: { sequences: number; contextTokens: number };
  /** TPOT target, as HELR's SLO. Where it cannot be met, the quickest pipeline is offered. */
  tpotMs?: number;
  prices: Prices;
}

/** HELR's matrix of links grows with the square of the devices. */
const MAX_DEVICES = 256;

/** Every pipeline worth a look. Neither a capacity nor a price is in them: the caller compares. */
export function pipelineShapes(wish: PipelineWish, hosts: readonly FreeHost[]): PipelineShape[] {
  const within = hosts.flatMap((h) => pipelinesWithin(wish, h));
  return hosts.some((h) => fitsWithoutPipeline(wish, h)) ? within : [...within, ...pipelinesAcross(wish, hosts)];
}

/** Pipelines of two or more stages on one kind of one host, layers split as evenly as they go. */
export function pipelinesWithin(wish: PipelineWish, freeHost: FreeHost): PipelineShape[] {
  return wish.widths
    .flatMap((width) =>
      groupsByKind(wish.model, freeHost, width).flatMap((groups) =>
        Array.from({ length: Math.max(0, Math.min(groups.length, wish.model.layers) - 1) }, (_, i) => {
          const depth = i + 2;
          const layers = (stage: number) => Math.floor(wish.model.layers / depth) + (stage < wish.model.layers % depth ? 1 : 0);
          return shapeOf(
            wish,
            groups.slice(0, depth).map((group, stage) => ({ group, layers: layers(stage) })),
          );
        }),
      ),
    )
    .filter((shape) => shape.kvCacheTokens >= wish.leastKvCacheTokens);
}

/** Pipelines over all hosts: HELR's choice at each width; beyond 256 devices its choice among the fastest hosts'. */
export function pipelinesAcross(wish: PipelineWish, hosts: readonly FreeHost[]): PipelineShape[] {
  return wish.widths.flatMap((width) => {
    const groups = new Map(candidateGroups(wish, hosts, width).map((g) => [`${g.host.name}/${g.accelerators.join(',')}`, g]));
    if (groups.size === 0) return [];
    const outcome = placeByHelr(problemOf(wish, groups, width));
    const placement = outcome.kind === 'infeasible' && outcome.on === 'slo' ? outcome.best : outcome;
    if (placement.kind === 'infeasible') return [];
    const stages = placement.stages.map(({ device, layerGroups }) => ({ group: groups.get(device)!, layers: layerGroups }));
    return [shapeOf(wish, stages)];
  });
}

/** The pipeline on stages that are given; null where they do not hold the model. */
export function pipelineOn(wish: PipelineWish, hosts: readonly HostState[], given: readonly PipelineStage[]): PipelineShape | null {
  const stages = given.flatMap(({ host: name, accelerators, tensorParallel, layers }) => {
    const host = hosts.find((h) => h.name === name);
    const [[group] = []] = host ? groupsByKind(wish.model, { host, free: accelerators }, tensorParallel) : [];
    return group && accelerators.length === tensorParallel ? [{ group, layers }] : [];
  });
  const layers = stages.reduce((sum, s) => sum + s.layers, 0);
  if (stages.length < given.length || layers !== wish.model.layers) return null;
  const shape = shapeOf(wish, stages);
  return shape.kvCacheTokens >= wish.leastKvCacheTokens ? shape : null;
}

/** Accelerators of one host and kind that hold a stage together. */
interface Group {
  host: HostState;
  kind: AcceleratorKind;
  accelerators: number[];
  stepTime: StepTimeProfile;
}

/** The groups of so many accelerators that a host's free ones make, a list a kind. Across a slow link nothing is wider than one. */
function groupsByKind(model: ModelShape, freeHost: FreeHost, width: number): Group[][] {
  const { host } = freeHost;
  if (model.attentionHeads % width !== 0) return [];
  return freeByKind(freeHost).flatMap(({ kind, indexes }) => {
    const link = intraHostLink(host.links, kind).bandwidthBytesPerSecond;
    if (width > 1 && link < SLOW_LINK_BYTES_PER_SECOND) return [];
    const prior = priorStepTime(model, kind, width);
    const stepTime = prior.source === 'measured' ? prior : derivedStepTime(model, kind, width, link);
    const groups = Array.from({ length: Math.floor(indexes.length / width) }, (_, g) => indexes.slice(g * width, (g + 1) * width));
    return [groups.map((accelerators) => ({ host, kind, accelerators, stepTime }))];
  });
}

function freeByKind({ host, free }: FreeHost): { kind: AcceleratorKind; indexes: number[] }[] {
  return [...new Set(free.map((i) => host.accelerators[i]!))].flatMap((id) => {
    const kind = findAcceleratorKind(id);
    return kind ? [{ kind, indexes: free.filter((i) => host.accelerators[i] === id) }] : [];
  });
}

/** Does some width hold the whole model here? Over a slow link, too: such a replica is slow, but it is one. */
function fitsWithoutPipeline({ model, widths, memory, leastKvCacheTokens }: PipelineWish, freeHost: FreeHost): boolean {
  return freeByKind(freeHost).some(({ kind, indexes }) =>
    widths.some(
      (width) =>
        width <= indexes.length && model.attentionHeads % width === 0 && kvCacheTokens(model, kind, width, memory) >= leastKvCacheTokens,
    ),
  );
}

/** Groups for HELR, the fastest host first; of hosts that are alike only as many as hold the model by themselves. */
function candidateGroups(wish: PipelineWish, hosts: readonly FreeHost[], width: number): Group[] {
  const alike = new Map<string, number>();
  return hosts
    .map((h) => ({ name: h.host.name, groups: groupsByKind(wish.model, h, width).flat() }))
    .filter(({ groups }) => groups.length > 0)
    .map((h) => ({ ...h, ms: Math.min(...h.groups.map((g) => layerMs(wish, g))) }))
    .sort((a, b) => a.ms - b.ms || compareText(a.name, b.name))
    .filter(({ name, groups }) => {
      const kinds = groups.map((g) => [g.kind.id, pricePerHour(wish.prices, name, g.kind.id)]);
      const key = JSON.stringify([kinds, groups[0]!.host.links]);
      const layers = groups.reduce((sum, g) => sum + layersOn(wish, g), 0);
      const before = alike.get(key) ?? 0;
      alike.set(key, before + layers);
      return layers > 0 && before < wish.model.layers;
    })
    .flatMap(({ groups }) => groups)
    .slice(0, MAX_DEVICES);
}

/** A device is a group, a layer group one layer. What a further stage adds to a step beside the hand-over is a step's overhead. */
function problemOf(wish: PipelineWish, groups: ReadonlyMap<string, Group>, width: number): HelrProblem {
  const { model, batch, prices, tpotMs } = wish;
  const all = [...groups.values()];
  const bytes = activationBytes(model, batch.sequences);
  return {
    layerGroups: { count: model.layers, ...layerBytes(wish, width) },
    devices: [...groups].map(([id, g]) => {
      // Of one accelerator: every device has as many.
      const usdPerHour = pricePerHour(prices, g.host.name, g.kind.id);
      return { id, memoryBytes: usableBytes(wish, g), msPerLayerGroup: layerMs(wish, g), usdPerHour };
    }),
    commMs: all.map((a) => all.map((b) => transferMs(linkBetween(endOf(a), endOf(b)), bytes) + b.stepTime.coefficients.o)),
    ...(tpotMs === undefined ? {} : { maxLatencyMs: tpotMs }),
  };
}

/** One layer on all accelerators of a group together: in whole bytes, so that what HELR adds up fits. */
function layerBytes({ model, memory, leastKvCacheTokens }: PipelineWish, width: number): { bytes: number; kvBytes: number } {
  const tokens = Math.ceil(leastKvCacheTokens / KV_BLOCK_TOKENS) * KV_BLOCK_TOKENS;
  // Beyond one accelerator a KV head, each holds a copy of one.
  const copies = width / Math.min(width, model.kvHeads);
  const kept = (memory?.kvValueBytes ?? 2) / 2;
  return {
    bytes: Math.ceil(model.weightsBytes / model.layers),
    kvBytes: Math.ceil((kvBytes(model, tokens) / model.layers) * copies * kept),
  };
}

function usableBytes({ memory }: PipelineWish, { kind, accelerators }: Group): number {
  const each = kind.memoryBytes * (memory?.memoryUtilisation ?? DEFAULT_MEMORY_UTILISATION) - OVERHEAD_BYTES_PER_ACCELERATOR;
  return Math.max(0, Math.floor(each * accelerators.length));
}

/** Layers that a group holds with the least KV cache beside them. */
function layersOn(wish: PipelineWish, group: Group): number {
  const layer = layerBytes(wish, group.accelerators.length);
  return Math.floor(usableBytes(wish, group) / (layer.bytes + layer.kvBytes));
}

/** One layer's part of a decode step, ms; the step's overhead apart, which does not grow with layers. */
function layerMs({ model, batch }: PipelineWish, { stepTime: { coefficients } }: Group): number {
  const stepMs = decodeStepMs(coefficients, batch.sequences, batch.sequences * batch.contextTokens);
  return (stepMs - coefficients.o) / model.layers;
}

function endOf({ host, kind }: Group): LinkEnd {
  return { host: host.name, links: host.links, accelerator: kind };
}

function shapeOf({ model, memory }: PipelineWish, stages: readonly { group: Group; layers: number }[]): PipelineShape {
  const links = stages.slice(1).map(({ group }, i) => linkBetween(endOf(stages[i]!.group), endOf(group)));
  return {
    stages: stages.map(({ group: { host, kind, accelerators }, layers }) => ({
      host: host.name,
      acceleratorKind: kind.id,
      accelerators,
      tensorParallel: accelerators.length,
      layers,
    })),
    stepTime: pipelineStepTime(
      stages.map(({ group, layers }) => stageStepTime(group.stepTime.coefficients, layers / model.layers)),
      links,
      activationBytes(model, 1),
    ),
    kvCacheTokens: pipelineKvCacheTokens(
      model,
      stages.map(({ group, layers }) => ({ accelerator: group.kind, tensorParallel: group.accelerators.length, layers })),
      memory,
    ),
    source: stages.some(({ group }) => group.stepTime.source === 'derived') ? 'derived' : 'measured',
  };
}
