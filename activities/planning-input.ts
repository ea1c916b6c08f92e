/** The one picture of the fleet that a plan is made from. */
import { catalogPrices } from '../core/domain/accelerators.ts';
import type { DeploymentSpec } from '../core/domain/deployment.ts';
import { UellmError } from '../core/domain/errors.ts';
import { KNOWN_CONFIGS, type ModelShape, shapeOf } from '../core/domain/model-spec.ts';
import { ANY } from '../core/domain/names.ts';
import type { PlanPurpose } from '../core/domain/plan.ts';
import type { SloPolicy, SloTargets } from '../core/domain/slo-policy.ts';
import { apartOf } from '../core/placement/affinity.ts';
import { DEFAULT_MAX_MOVING } from '../core/placement/budget.ts';
import type { FleetInput } from '../core/placement/fleet/problem.ts';
import type { Forecast } from '../core/placement/forecast/forecast.ts';
import type { DeploymentDemand, PlanInput } from '../core/placement/types.ts';
import type { Executor } from '../db/client.ts';
import { holdsOnRebalance } from '../db/queries/holds.ts';
import {
  allModels,
  allPolicies,
  declaredAffinities,
  declaredPrices,
  servingDeployments,
  undeclaredDeployments,
} from '../db/queries/planning-reads.ts';
import { hostStates, proposedPlaces } from '../db/queries/plans.ts';
import { stepTimeProfiles } from '../db/queries/profiler.ts';
import { livingReplicas } from '../db/queries/replicas.ts';
import { revisionSpec } from '../db/queries/revisions.ts';
import { deploymentsInRollout, loadRollout } from '../db/queries/rollouts.ts';
import { loadForecasts } from './demand-forecast.ts';
import { readModelConfig } from './model-config.ts';

export interface PlanRequest {
  /** Given by the workflow: a second run of the activity finds the plan of the first. */
  planId: string;
  purpose: PlanPurpose;
  /** A deployment, a host, or `cluster`. */
  subject: string;
  rolloutId?: string;
  /** With `rolloutId`: another revision than the rollout's own, to go back to it. */
  revision?: number;
  /** With `rolloutId`: plan as if the other revisions had left already. */
  withoutOthers?: boolean;
  dryRun?: boolean;
  /** With purpose `rebalance`: this deployment alone, whatever its mode is. */
  only?: string;
  /** Accelerators to place nothing on. */
  avoid?: readonly { host: string; accelerators: readonly number[] }[];
  /** How many replicas of a deployment below its need may be away while this is done; none without it. */
  maxUnavailable?: number;
}

export interface Surroundings {
  now: () => number;
  newId: () => string;
  /** How many replicas may be moving at once in the whole cluster. */
  maxMoving?: number;
}

export async function loadPlanInput(
  db: Executor,
  { now, newId, maxMoving = DEFAULT_MAX_MOVING }: Surroundings,
  request: PlanRequest,
): Promise<PlanInput> {
  const planned = await plannedDeployments(db, request);
  const fleet = await loadFleet(db, now(), planned);
  const taken = [...(request.avoid ?? []), ...(await proposedPlaces(db, request.subject))];
  const isThere = (r: { deployment: string; revision: number }) => r.deployment !== request.subject || r.revision === planned[0]?.revision;
  return {
    ...fleet,
    replicas: request.withoutOthers ? fleet.replicas.filter(isThere) : fleet.replicas,
    hosts: fleet.hosts.map((host) => ({ ...host, absent: [...(host.absent ?? []), ...takenOn(host.name, taken)] })),
    purpose: request.purpose,
    subject: request.subject,
    budget: { maxUnavailable: request.maxUnavailable ?? 0, maxMoving },
    idPrefix: `r${newId().replaceAll('-', '').slice(0, 8)}`,
    ...(request.purpose === 'drain' ? { drainHost: request.subject } : {}),
    ...(request.purpose === 'deploy' || request.only !== undefined ? {} : { undeclared: await undeclaredDeployments(db) }),
  };
}

type Planned = Pick<DeploymentDemand, 'spec' | 'revision' | 'inRollout'>;
type Places = NonNullable<PlanRequest['avoid']>;
const takenOn = (host: string, places: Places) => places.flatMap((place) => (place.host === host ? place.accelerators : []));

/** The same picture for whoever only looks: with every deployment that serves, those in a rollout among them. */
export async function loadServingFleet(db: Executor, nowMs: number): Promise<FleetInput> {
  return loadFleet(db, nowMs, await servingDeployments(db));
}

async function loadFleet(db: Executor, nowMs: number, wanted: Planned[]): Promise<FleetInput> {
  const policies = await allPolicies(db);
  const forecastOf = await loadForecasts(db, nowMs);
  const affinities = await declaredAffinities(db);
  const toDemand = ({ spec: own, ...planned }: Planned): DeploymentDemand => {
    const spec = keptApart(own, affinities);
    const forecast = forecastOf(spec);
    const { inputVariation, outputVariation, demand } = forecast;
    return {
      ...{ spec, ...planned, demand, targets: planningTargets(policies, spec.model), forecastBasis: basisOf(forecast) },
      variations: { ...(inputVariation === null ? {} : { inputVariation }), ...(outputVariation === null ? {} : { outputVariation }) },
    };
  };
  return {
    hosts: await hostStates(db),
    prices: { byKind: catalogPrices(), byHost: await declaredPrices(db) },
    models: await modelShapes(db),
    deployments: wanted.map(toDemand),
    replicas: await livingReplicas(db),
    stepTimes: await stepTimeProfiles(db),
  };
}

/** The deployment with all that keeps away from it in its own antiAffinity: whoever says so may not be planned beside it. */
export function keptApart(spec: DeploymentSpec, declared: readonly Pick<DeploymentSpec, 'name' | 'placement'>[]): DeploymentSpec {
  const apart = apartOf([...declared.filter(({ name }) => name !== spec.name), spec]).get(spec.name);
  return apart ? { ...spec, placement: { ...spec.placement, antiAffinity: [...apart].sort() } } : spec;
}

function basisOf({ basis, parts: { level, seasonalFactor, burstMargin } }: Forecast): string {
  if (basis === 'declared') return 'as declared';
  const pattern = basis === 'recent' ? '' : ` x ${seasonalFactor.toFixed(2)} by the ${basis} pattern`;
  return `${level.toFixed(1)} now${pattern}, and ${burstMargin.toFixed(1)} for bursts`;
}

/** A rollout plans its own revision; everything else plans what serves and is not being rolled out. */
async function plannedDeployments(db: Executor, request: PlanRequest): Promise<Planned[]> {
  if (request.rolloutId) {
    const { deployment, ...own } = await loadRollout(db, request.rolloutId);
    const revision = request.revision ?? own.revision;
    return [{ spec: revision === own.revision ? own.spec : await revisionSpec(db, deployment, revision), revision }];
  }
  const serving = await servingDeployments(db);
  if (request.purpose === 'drain') {
    const changing = await deploymentsInRollout(db);
    return serving.map((d) => ({ ...d, inRollout: changing.has(d.spec.name) }));
  }
  const held = new Set(await heldDeployments(db, request));
  return serving.filter(({ spec: { name } }) => !held.has(name) && (request.only ?? name) === name);
}

/** A rebalance waits for drains too, whose moves it would cross; a replacement does not. */
async function heldDeployments(db: Executor, { purpose, only }: PlanRequest): Promise<Iterable<string>> {
  if (purpose !== 'rebalance') return deploymentsInRollout(db);
  const holds = await holdsOnRebalance(db);
  return holds.flatMap(({ deployment, refusal }) => (refusal.on === 'mode' && deployment === only ? [] : deployment));
}

async function modelShapes(db: Executor): Promise<Record<string, ModelShape>> {
  const shapes: Record<string, ModelShape> = {};
  for (const declared of await allModels(db)) {
    // A file that cannot be read is the rollout's to tell of: here it must not keep every other model from being planned.
    const read = declared.config ?? (await readModelConfig(declared.source).catch(ignoreInvalid));
    const config = read ?? (Object.hasOwn(KNOWN_CONFIGS, declared.name) ? KNOWN_CONFIGS[declared.name] : undefined);
    if (config) shapes[declared.name] = shapeOf({ ...declared, config });
  }
  return shapes;
}

function ignoreInvalid(error: unknown): undefined {
  if (!(error instanceof UellmError && error.detail.kind === 'invalid-input')) throw error;
}

/** The tightest of every latency that a policy of this model promises to requests that may not be shed; null where none promises any. */
export function planningTargets(policies: readonly SloPolicy[], model: string): SloTargets | null {
  const relevant = policies.filter((p) => p.priority >= 0 && (p.match.model === model || p.match.model === ANY));
  if (relevant.length === 0) return null;
  const tightest = (of: (t: SloTargets) => number | undefined) => {
    const values = relevant.flatMap((p) => of(p.targets) ?? []);
    return values.length > 0 ? Math.min(...values) : undefined;
  };
  return {
    ttftMs: tightest((t) => t.ttftMs),
    tpotMs: tightest((t) => t.tpotMs),
    e2eMs: tightest((t) => t.e2eMs),
    attainment: Math.max(...relevant.map((p) => p.targets.attainment)),
  };
}
