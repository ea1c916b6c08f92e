/**
 * Models on hosts of eight L40S, which share PCIe: which shapes the planner takes, and whether a wider one is ever taken where narrower
 * ones serve the same for no more money. That is looked up by trying every combination of counts.
 */
import { catalogPrices } from '../../core/domain/accelerators.ts';
import { KNOWN_CONFIGS, modelShape } from '../../core/domain/model-spec.ts';
import type { SloTargets } from '../../core/domain/slo-policy.ts';
import { planFleet } from '../../core/placement/fleet/fleet-plan.ts';
import type { MilpSolver } from '../../core/placement/fleet/milp.ts';
import type { FleetInput } from '../../core/placement/fleet/problem.ts';
import { openShapeBook, TENSOR_PARALLEL_WIDTHS } from '../../core/placement/shapes.ts';
import { AS_IN_USE } from './as-in-use.ts';
import { hostOf } from './instances.ts';

export interface SlowLinkResult {
  model: string;
  targets: SloTargets;
  requestsPerSecond: number;
  /** Replicas by shape: `TP2`, or `TP1 in 4 stages`. */
  replicas: Record<string, number>;
  /** Of all of them. */
  widestTensorParallel: number;
  usdPerHour: number;
  /** Least money over all combinations of widths, pipelines apart, and over those of widths of at most 2; null where none serves the demand. */
  leastUsdPerHour: number | null;
  leastNarrowUsdPerHour: number | null;
}

const KIND = 'L40S';
const HOSTS = 8;
const HOST_WIDTH = 8;
const MODELS = ['llama-3.1-8b', 'qwen3-32b', 'llama-3.1-70b'] as const;
const TARGETS: readonly SloTargets[] = [
  { ttftMs: 500, tpotMs: 20, attainment: 0.9 },
  { ttftMs: 1000, tpotMs: 35, attainment: 0.9 },
  { ttftMs: 2000, tpotMs: 60, attainment: 0.9 },
  { ttftMs: 4000, tpotMs: 100, attainment: 0.9 },
  { ttftMs: 8000, tpotMs: 200, attainment: 0.9 },
  { e2eMs: 120_000, attainment: 0.9 },
];
const RATES = [0.2, 1, 3, 8, 20] as const;

export function measureSlowLinks(solver: MilpSolver): SlowLinkResult[] {
  return MODELS.flatMap((model) =>
    TARGETS.flatMap((targets) => RATES.map((requestsPerSecond) => measure(model, targets, requestsPerSecond, solver))),
  ).filter((result) => result.leastUsdPerHour !== null);
}

/** Is there nothing for less money, and a width of 4 or more only where 2 and less cost more? */
export function isRight({ widestTensorParallel, usdPerHour, leastUsdPerHour, leastNarrowUsdPerHour }: SlowLinkResult): boolean {
  const narrowDoes = leastNarrowUsdPerHour !== null && leastNarrowUsdPerHour <= usdPerHour + 1e-6;
  return usdPerHour <= leastUsdPerHour! + 1e-6 && !(widestTensorParallel >= 4 && narrowDoes);
}

function measure(model: string, targets: SloTargets, requestsPerSecond: number, solver: MilpSolver): SlowLinkResult {
  const input = inputOf(model, targets, requestsPerSecond);
  const { replicas, usdPerHour } = planFleet(input, solver, { ...AS_IN_USE, exact: true });
  const counts: Record<string, number> = {};
  for (const { shape } of replicas) {
    const name = `TP${shape.tensorParallel}${shape.stageLayers ? ` in ${shape.stageLayers.length} stages` : ''}`;
    counts[name] = (counts[name] ?? 0) + 1;
  }
  const widestTensorParallel = Math.max(...replicas.map((r) => r.shape.tensorParallel));
  const least = (widest: number) => leastUsd(input, widest);
  return {
    ...{ model, targets, requestsPerSecond, replicas: counts, widestTensorParallel, usdPerHour },
    leastUsdPerHour: least(8),
    leastNarrowUsdPerHour: least(2),
  };
}

function inputOf(model: string, targets: SloTargets, requestsPerSecond: number): FleetInput {
  const hosts = Array.from({ length: HOSTS }, (_, i) => hostOf(`l40s-${i + 1}`, KIND, HOST_WIDTH));
  const spec = {
    ...{ name: model, model, engine: { kind: 'vllm' as const, args: {} }, replicas: { min: 0, max: 1000 } },
    placement: { hosts: [], accelerators: [], spread: 'host' as const },
    rollout: { strategy: 'canary' as const, steps: [], approval: 'auto' as const },
    mode: 'auto' as const,
  };
  return {
    ...{ hosts, prices: { byKind: catalogPrices(), byHost: {} }, replicas: [], stepTimes: [] },
    models: { [model]: modelShape(model, KNOWN_CONFIGS[model]!, 'bf16') },
    deployments: [{ spec, revision: 1, demand: { requestsPerSecond, inputTokens: 1155, outputTokens: 211 }, targets }],
  };
}

/** Every number of replicas of each width that these hosts have room for; the last is as many as are still needed. */
function leastUsd(input: FleetInput, widest: number): number | null {
  const [deployment] = input.deployments;
  const book = openShapeBook(input);
  const shapes = TENSOR_PARALLEL_WIDTHS.filter((width) => width <= widest).flatMap((width) => {
    const capacity = book.shape(deployment!, input.hosts[0]!, KIND, width)?.capacity;
    return capacity?.meetsSlo && capacity.requestsPerSecond > 0 ? [{ width, requestsPerSecond: capacity.requestsPerSecond }] : [];
  });
  const search = (from: number, accelerators: number, unmet: number): number => {
    if (unmet <= 0) return 0;
    const shape = shapes[from];
    if (!shape) return Number.POSITIVE_INFINITY;
    let least = Number.POSITIVE_INFINITY;
    for (let count = 0; count * shape.width <= accelerators; count++) {
      const rest = search(from + 1, accelerators - count * shape.width, unmet - count * shape.requestsPerSecond);
      least = Math.min(least, count * shape.width + rest);
      if (unmet - count * shape.requestsPerSecond <= 0) break;
    }
    return least;
  };
  const accelerators = search(0, HOSTS * HOST_WIDTH, deployment!.demand.requestsPerSecond);
  return Number.isFinite(accelerators) ? accelerators * input.prices.byKind[KIND]! : null;
}
