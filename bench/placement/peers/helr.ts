/** The paper's deployer: model after model, each replica a pipeline that HELR places on the accelerators that are still free. */
import { replicaCapacity } from '../../../core/placement/capacity/capacity.ts';
import { isAllowed } from '../../../core/placement/choose.ts';
import { pricePerHour } from '../../../core/placement/cost.ts';
import { type PipelineShape, type PipelineStage, pipelinesAcross } from '../../../core/placement/helr/pipeline-shapes.ts';
import { occupancyOf } from '../../../core/placement/occupancy.ts';
import { leastKvCacheTokens, TENSOR_PARALLEL_WIDTHS } from '../../../core/placement/shapes.ts';
import type { DeploymentDemand, Prices } from '../../../core/placement/types.ts';
import { placeOneByOne } from './one-by-one.ts';
import type { Peer } from './peer.ts';

/** What HELR takes for one batch step. */
const SEQUENCES = 32;

/** Stages of one accelerator, as the paper has them. */
export const helr: Peer = (input) => placedByHelr(input, [1]);

/** Stages of one, two, four or eight accelerators, whichever pipeline serves a request for the least money. */
export const helrWithTensorParallelism: Peer = (input) => placedByHelr(input, TENSOR_PARALLEL_WIDTHS);

function placedByHelr(input: Parameters<Peer>[0], widths: readonly number[]) {
  const occupancy = occupancyOf(input.hosts, input.replicas);
  return placeOneByOne(input, (deployment) => {
    const model = input.models[deployment.spec.model]!;
    const free = input.hosts.map((host) => ({
      host,
      free: host.accelerators.flatMap((kind, i) => (occupancy.isFree(host.name, i) && isAllowed(deployment, host, kind) ? [i] : [])),
    }));
    const wish = {
      model,
      widths,
      leastKvCacheTokens: leastKvCacheTokens(deployment, model),
      batch: batchOf(deployment),
      prices: input.prices,
    };
    const attaining = pipelinesAcross({ ...wish, tpotMs: tpotOf(deployment) }, free).flatMap((pipeline) => {
      const capacity = replicaCapacity(pipeline, deployment.demand, deployment.targets);
      const usdPerHour = usdPerHourOf(pipeline, input.prices);
      return capacity.meetsSlo && capacity.requestsPerSecond > 0
        ? [{ pipeline, usdPerHour, requestsPerSecond: capacity.requestsPerSecond }]
        : [];
    });
    const [best] = attaining.sort((a, b) => a.usdPerHour / a.requestsPerSecond - b.usdPerHour / b.requestsPerSecond);
    for (const { host, accelerators } of best?.pipeline.stages ?? []) occupancy.hold(host, accelerators);
    return best;
  });
}

function batchOf({ demand }: DeploymentDemand) {
  return { sequences: SEQUENCES, contextTokens: demand.inputTokens + demand.outputTokens / 2 };
}

/** HELR's SLO is one step's latency. */
function tpotOf({ demand, targets }: DeploymentDemand): number {
  return targets?.tpotMs ?? (targets?.e2eMs ?? Number.MAX_VALUE) / demand.outputTokens;
}

function usdPerHourOf({ stages }: PipelineShape, prices: Prices): number {
  const usd = ({ host, acceleratorKind, accelerators }: PipelineStage) =>
    accelerators.length * pricePerHour(prices, host, acceleratorKind)!;
  return stages.reduce((sum, stage) => sum + usd(stage), 0);
}
