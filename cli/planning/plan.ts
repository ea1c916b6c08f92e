/**
 * `uellm plan`: which model goes on which accelerators of a fleet, in which shape, what that costs, and how far from the least possible
 * cost it can be at most. Needs no installation, unless `--from current` asks one what it has.
 */
import { createApiClient } from '../../api/client.ts';
import { catalogPrices } from '../../core/domain/accelerators.ts';
import { declaredPricesOf, type HostSpec, type HostState, hostStateOf } from '../../core/domain/fleet.ts';
import { inWords } from '../../core/domain/refusal.ts';
import { holdsAccelerators } from '../../core/domain/replica.ts';
import { pricePerHour } from '../../core/placement/cost.ts';
import type { FleetReplica } from '../../core/placement/fleet/fleet-plan.ts';
import { loadHighsSolver } from '../../core/placement/fleet/highs.ts';
import type { PresentPipeline } from '../../core/placement/fleet/spanning.ts';
import type { PipelineStage } from '../../core/placement/helr/pipeline-shapes.ts';
import type { Prices } from '../../core/placement/types.ts';
import { openShapeTrials } from '../../core/simulator/shape-trials.ts';
import { planFleetTried, type TriedFleetPlan } from '../../core/simulator/tried-fleet-plan.ts';
import { useAccelerators } from '../accelerators.ts';
import { type OutputOptions, print } from '../output/print.ts';
import { readText } from '../simulation/files.ts';
import { parseFleet } from '../simulation/fleet-file.ts';
import type { Terminal } from '../terminal.ts';
import { parseModels } from './models-file.ts';
import { planText } from './plan-text.ts';
import { type PresentPlacement, parsePresent } from './present.ts';

/** That many shapes are tried within a second or two. */
const SHAPES_TRIED_UNASKED = 24;
/** To find the nearest that would do for what is refused: a second or two. */
const MOST_PLANS = 300;
/** The API gives out no more at once. */
const PAGE = 1000;

export interface PlanOptions extends OutputOptions {
  fleet: string;
  models: string;
  from?: string;
  exact?: boolean;
  /** Absent: tried where the shapes are few. */
  simulation?: boolean;
  accelerators?: string;
}

export interface PlanResult {
  replicas: {
    model: string;
    host: string;
    accelerators: number[];
    tensorParallel: number;
    acceleratorKind: string;
    /** Of a pipeline; `host` and `accelerators` are its first stage's where it spans hosts. */
    pipelineStages?: PipelineStage[];
    capacityRequestsPerSecond: number;
    usdPerHour: number;
    /** Is it there already? */
    present: boolean;
  }[];
  /** Of what is there now and is not to stay. */
  retired: { model: string; host: string; accelerators: number[]; tensorParallel: number; pipelineStages?: PipelineStage[] }[];
  costUsdPerHour: number;
  lowerBoundUsdPerHour: number;
  /** By how much the cost can be above the least possible at most: 0.01 is 1 %; null where no bound above 0 is known. */
  gap: number | null;
  unmetRequestsPerSecond: number;
  lowerBoundUnmetRequestsPerSecond: number;
  /** Models not served, or only in part, and why. */
  unplaced: { model: string; reason: string }[];
  notes: string[];
  millis: number;
}

/** @throws invalid-input */
export async function planCommand(terminal: Terminal, options: PlanOptions): Promise<void> {
  if (options.accelerators !== undefined) await useAccelerators(options.accelerators, '--accelerators');
  const fleet = parseFleet(await readText('--fleet', options.fleet), options.fleet);
  const wanted = parseModels(await readText('--models', options.models), options.models);
  const hosts = fleet.hosts.map((host) => hostStateOf({ ...host, simulated: false }));
  const present = await presentPlacement(terminal, options, hosts);
  const solver = await loadHighsSolver();
  const prices = pricesOf(fleet.hosts);
  const begun = performance.now();
  // What the models file does not name is to go, and its accelerators are free.
  const stays = ({ deployment }: { deployment: string }) => Object.hasOwn(wanted.models, deployment);
  const [replicas, pipelines] = [present.replicas.filter(stays), present.pipelines.filter(stays)];
  const input = { hosts, prices, ...wanted, replicas, pipelines, stepTimes: [] };
  const how = { priceMoves: replicas.length + pipelines.length > 0, exact: options.exact === true, pipelines: true, relax: MOST_PLANS };
  const mostShapes = options.simulation === undefined ? SHAPES_TRIED_UNASKED : options.simulation ? Number.POSITIVE_INFINITY : 0;
  const plan = planFleetTried(input, solver, openShapeTrials(), how, { mostShapes });
  const result = resultOf(plan, present, notesOf(hosts, prices, [...fleet.notes, ...wanted.notes]), performance.now() - begun);
  print(terminal, options, result, () => planText(result, wanted, { columns: terminal.columns(), colour: terminal.colour }));
  for (const note of result.notes) terminal.err(`note: ${note}\n`);
  // In part is a plan; nothing at all of what was asked for is a refusal.
  if (result.replicas.length === 0 && result.unplaced.length > 0) terminal.setExitCode(1);
}

async function presentPlacement(terminal: Terminal, { from }: PlanOptions, hosts: readonly HostState[]): Promise<PresentPlacement> {
  if (from === undefined) return { replicas: [], pipelines: [] };
  if (from !== 'current') return parsePresent(await readText('--from', from), from, hosts);
  const client = createApiClient({
    url: terminal.env.UELLM_API_URL || 'http://127.0.0.1:8080',
    apiKey: terminal.env.UELLM_API_KEY || undefined,
    fetch: terminal.fetch,
  });
  const there: unknown[] = [];
  for (let cursor: string | undefined, first = true; first || cursor !== undefined; first = false) {
    const page = await client.list('replicas', { limit: PAGE, cursor });
    there.push(...page.items.filter((r) => holdsAccelerators(r.state)));
    cursor = page.next;
  }
  return parsePresent(JSON.stringify({ replicas: there }), 'the present replicas', hosts);
}

function pricesOf(hosts: readonly HostSpec[]): Prices {
  return { byKind: catalogPrices(), byHost: Object.fromEntries(hosts.map((host) => [host.name, declaredPricesOf(host)])) };
}

function notesOf(hosts: readonly HostState[], prices: Prices, notes: readonly string[]): string[] {
  const unpriced = new Set(hosts.flatMap((h) => h.accelerators.filter((kind) => pricePerHour(prices, h.name, kind) === null)));
  if (unpriced.size === 0) return [...notes];
  return [...notes, `${[...unpriced].sort().join(', ')} left out: no price, neither in the catalog nor as usdPerHour of the host`];
}

function resultOf(plan: TriedFleetPlan, present: PresentPlacement, notes: string[], millis: number): PlanResult {
  const kept = new Set(plan.replicas.map((r) => r.presentId));
  return {
    replicas: plan.replicas.map(replicaOf),
    retired: [
      ...present.replicas
        .filter((r) => !kept.has(r.id))
        .map(({ model, host, accelerators, tensorParallel }) => ({ model, host, accelerators, tensorParallel })),
      ...present.pipelines.filter((p) => !kept.has(p.id)).map(retiredPipeline),
    ],
    costUsdPerHour: rounded(plan.usdPerHour),
    lowerBoundUsdPerHour: roundedDown(plan.lowerBoundUsdPerHour),
    gap: plan.lowerBoundUsdPerHour > 0 ? Math.max(0, plan.usdPerHour / plan.lowerBoundUsdPerHour - 1) : plan.usdPerHour > 0 ? null : 0,
    unmetRequestsPerSecond: plan.unmetPerSecond,
    lowerBoundUnmetRequestsPerSecond: plan.lowerBoundUnmetPerSecond,
    unplaced: plan.refusals.map((r) => ({ model: r.subject, reason: inWords(r) })),
    notes: [
      ...notes,
      ...(plan.untried > 0
        ? [
            `${plan.untried === 1 ? '1 shape is' : `${plan.untried} shapes are`} counted on by the closed form alone; --simulation tries them`,
          ]
        : []),
      ...Object.entries(plan.factors).map(([key, factor]) => triedNote(key, factor)),
    ],
    millis: Math.round(millis),
  };
}

function retiredPipeline({ deployment, stages }: PresentPipeline): PlanResult['retired'][number] {
  const [{ host, accelerators, tensorParallel }] = stages as [PipelineStage];
  return { model: deployment, host, accelerators, tensorParallel, pipelineStages: stages };
}

function replicaOf({ model, host, accelerators, shape, usdPerHour, presentId, stages }: FleetReplica): PlanResult['replicas'][number] {
  const { tensorParallel, acceleratorKind, capacity } = shape;
  return {
    model,
    host,
    accelerators,
    tensorParallel,
    acceleratorKind,
    ...(stages ? { pipelineStages: stages } : {}),
    capacityRequestsPerSecond: capacity.requestsPerSecond,
    usdPerHour: rounded(usdPerHour),
    present: presentId !== undefined,
  };
}

function triedNote(key: string, factor: number): string {
  return `${key}: simulation attains the SLO at ${Math.round(factor * 100)} % of what the closed form says; counted so`;
}

/** To a hundredth of a cent. */
function rounded(usd: number): number {
  return Math.round(usd * 1e4) / 1e4;
}

/** As a bound must be, but for what solvers are off by. */
function roundedDown(usd: number): number {
  return Math.floor((usd + 1e-6) * 1e4) / 1e4;
}
