/** Why a replica cannot be placed: the constraint that binds, its figures, and the nearest thing that would do. */
import { type AcceleratorKind, acceleratorKinds, findAcceleratorKind } from '../domain/accelerators.ts';
import { type HostState, isSchedulable } from '../domain/fleet.ts';
import { kvCacheTokens, memorySettings } from '../domain/memory.ts';
import type { ModelShape } from '../domain/model-spec.ts';
import type { Refusal } from '../domain/refusal.ts';
import { GIB } from '../domain/units.ts';
import { apartOf } from './affinity.ts';
import { isAllowed, mayShare } from './choose.ts';
import { contextRefusal, contextTokens, isBeyondContext } from './context-length.ts';
import type { Draft } from './draft.ts';
import { compareText } from './rank.ts';
import { leastKvCacheTokens, type Shape, widthsOf } from './shapes.ts';
import type { DeploymentDemand } from './types.ts';
import { describeShape, describeTargets } from './wording.ts';

/** One shape on one host, were the host empty. */
export interface ShapeOption {
  host: HostState;
  shape: Shape;
}

/** To be asked when nothing could be placed. Looks for the first constraint whose removal would leave a place. */
export function whyNotPlaced(draft: Draft, deployment: DeploymentDemand): Refusal {
  const { input, shapes } = draft;
  const model = input.models[deployment.spec.model];
  if (model && isBeyondContext(deployment, model)) return beyondContext(deployment, model);
  const owned = input.hosts.filter((h) => !h.external && h.name !== input.drainHost);
  const options = owned.flatMap((host) => shapes.shapesOn(deployment, host).map((shape) => ({ host, shape })));
  if (options.length === 0) return memoryRefusal(deployment, owned, model);
  const allowed = options.filter(({ host, shape }) => isAllowed(deployment, host, shape.acceleratorKind));
  if (allowed.length === 0) return placementRefusal(deployment, options);
  const shared = allowed.filter(({ host }) => mayShare(draft, deployment, host.name));
  const isRoomyElsewhere = allowed.some((o) => isRoomy(draft, o)) && !shared.some((o) => isRoomy(draft, o));
  if (shared.length === 0 || isRoomyElsewhere) return affinityRefusal(draft, deployment, allowed);
  return acceleratorsRefusal(draft, deployment, shared);
}

function beyondContext(deployment: DeploymentDemand, model: ModelShape): Refusal {
  const inputTokens = Math.floor(contextTokens(deployment, model) - deployment.demand.outputTokens);
  return { ...contextRefusal(deployment, model), ...(inputTokens >= 1 ? { nearest: `fits at ${inputTokens} input tokens` } : {}) };
}

/** Are as many accelerators free there as the shape takes? */
function isRoomy({ occupancy }: Draft, { host, shape }: ShapeOption): boolean {
  return isSchedulable(host) && occupancy.free(host, shape.acceleratorKind).length >= shape.tensorParallel;
}

/** There is room only where others stand that it keeps apart from. */
function affinityRefusal(draft: Draft, { spec }: DeploymentDemand, options: readonly ShapeOption[]): Refusal {
  const apart = apartOf([...draft.input.deployments.map((d) => d.spec), spec]).get(spec.name)!;
  const [least] = [...options].sort((a, b) => a.shape.tensorParallel - b.shape.tensorParallel || compareText(a.host.name, b.host.name));
  return {
    kind: 'refused',
    on: 'placement',
    subject: spec.name,
    message: `every host that it fits has a replica that antiAffinity keeps it apart from (${[...apart].sort().join(', ')})`,
    nearest: `fits without antiAffinity, or on another host of ${describeShape(least!.shape)}`,
  };
}

/** To be told when replicas are placed, but on shapes that miss the targets even when idle. */
export function sloRefusal(deployment: DeploymentDemand, best: Pick<Shape, 'capacity' | 'acceleratorKind' | 'tensorParallel'>): Refusal {
  const { ttftMs, tpotMs, e2eMs } = best.capacity.unloaded;
  const over = (name: string, value: number, target: number | undefined) =>
    target !== undefined && value > target ? [`${name} ${Math.ceil(value)} ms`] : [];
  const reached = [
    ...over('TTFT', ttftMs, deployment.targets?.ttftMs),
    ...over('TPOT', tpotMs, deployment.targets?.tpotMs),
    ...over('end to end', e2eMs, deployment.targets?.e2eMs),
  ].join(', ');
  return {
    kind: 'refused',
    on: 'slo',
    subject: deployment.spec.name,
    message: `no free shape attains ${describeTargets(deployment.targets)}; nearest is ${describeShape(best)}`,
    // An idle replica may meet each target, and not all of them for as many requests as is promised.
    nearest: reached ? `fits at ${reached}` : `fits at an attainment below ${deployment.targets?.attainment ?? 1}`,
  };
}

/** To be told when more should move than may move at once. */
export function overBudget({ input }: Draft, deployment: string): Refusal {
  return {
    kind: 'waiting',
    on: 'disruption-budget',
    subject: deployment,
    message: `more replicas of ${deployment} should move; ${input.budget.maxMoving} may move at once in the whole cluster, and as many do`,
    nearest: 'goes on with the next plan',
  };
}

export function memoryRefusal(deployment: DeploymentDemand, hosts: readonly HostState[], model: ModelShape | undefined): Refusal {
  const { spec } = deployment;
  const refused = (message: string, nearest?: string): Refusal => ({
    kind: 'refused',
    on: 'memory',
    subject: spec.name,
    message,
    ...(nearest === undefined ? {} : { nearest }),
  });
  if (!model) return refused(`the size of model ${spec.model} is unknown: it has no config that can be read`);
  const tokens = Math.ceil(leastKvCacheTokens(deployment, model));
  const weights = (model.weightsBytes / GIB).toFixed(0);
  const message = `${weights} GiB of weights and a KV cache of ${tokens} tokens fit the accelerators of no host`;
  const there = [...new Set(hosts.flatMap((h) => h.accelerators))].sort(compareText).flatMap((kind) => findAcceleratorKind(kind) ?? []);
  const byPrice = [...acceleratorKinds()].sort((a, b) => priceOf(a) - priceOf(b));
  for (const [kinds, reservation] of [
    [there, ''],
    [byPrice, ', which no host has'],
  ] as const) {
    for (const kind of kinds) {
      const width = widthsOf(deployment).find((w) => kvCacheTokens(model, kind, w, memorySettings(spec.engine.args)) >= tokens);
      if (width) return refused(message, `fits on ${width} ${kind.id} in one host${reservation}`);
    }
  }
  return refused(message);
}

/** USD an hour; kinds without a price come last. */
const priceOf = ({ usdPerHour }: AcceleratorKind) => usdPerHour ?? Number.POSITIVE_INFINITY;

export function placementRefusal({ spec }: DeploymentDemand, options: readonly ShapeOption[]): Refusal {
  const { hosts, accelerators } = spec.placement;
  const simulated = spec.engine.kind === 'simulated';
  const ofItsKind = options.some(({ host }) => host.simulated !== simulated);
  const lists = [
    ...(ofItsKind && simulated ? ['simulated hosts'] : []),
    ...(ofItsKind && !simulated ? [`hosts that run ${spec.engine.kind}, which simulated ones do not`] : []),
    ...(hosts.length > 0 ? [`hosts ${hosts.join(', ')}`] : []),
    ...(accelerators.length > 0 ? [`accelerators ${accelerators.join(', ')}`] : []),
  ].join(' and ');
  const [nearest] = options;
  return {
    kind: 'refused',
    on: 'placement',
    subject: spec.name,
    message: `it fits none of what its placement allows: ${lists}`,
    ...(nearest ? { nearest: `fits on ${describeShape(nearest.shape)} of host ${nearest.host.name}` } : {}),
  };
}

function acceleratorsRefusal(draft: Draft, { spec }: DeploymentDemand, options: readonly ShapeOption[]): Refusal {
  const missingOf = ({ host, shape }: ShapeOption) =>
    Math.max(0, shape.tensorParallel - draft.occupancy.free(host, shape.acceleratorKind).length);
  const byMissing = (a: ShapeOption, b: ShapeOption) => missingOf(a) - missingOf(b) || compareText(a.host.name, b.host.name);
  const open = options.filter(({ host }) => isSchedulable(host)).sort(byMissing);
  const closed = options.filter((o) => !isSchedulable(o.host) && missingOf(o) === 0).sort(byMissing);
  const widths = [...new Set(options.map(({ shape }) => describeShape(shape)))].join(' or ');
  const [least] = open;
  const [shut] = closed;
  const nearest = least
    ? `fits with ${missingOf(least)} more ${least.shape.acceleratorKind} on host ${least.host.name}`
    : shut && `fits once host ${shut.host.name} takes new work: it is ${shut.host.liveness} and ${shut.host.service}`;
  return {
    kind: 'waiting',
    on: 'accelerators',
    subject: spec.name,
    message: `needs ${widths} free on one host that takes new work; none has them`,
    ...(nearest ? { nearest } : {}),
  };
}
