/** The present and the changed situation of a what-if: policies, prices, and which replicas serve on which accelerators at what price. */
import { counted } from '../domain/counted.ts';
import type { DeploymentMode } from '../domain/deployment.ts';
import { diffLines } from '../domain/diff-lines.ts';
import { type FieldIssue, UellmError } from '../domain/errors.ts';
import { declaredPricesOf, type HostSpec, type HostState, hostStateOf, isSchedulable } from '../domain/fleet.ts';
import type { Replica } from '../domain/replica.ts';
import { allowedPart, type RoutedReplica } from '../domain/routing.ts';
import type { SloPolicy } from '../domain/slo-policy.ts';
import type { StepTimeCoefficients } from '../domain/step-time.ts';
import { isAllowed } from '../placement/choose.ts';
import { pricePerHour } from '../placement/cost.ts';
import type { FleetInput } from '../placement/fleet/problem.ts';
import { type Occupancy, occupancyOf } from '../placement/occupancy.ts';
import { compareText } from '../placement/rank.ts';
import { openShapeBook, type ShapeBook } from '../placement/shapes.ts';
import type { DeploymentDemand, Prices } from '../placement/types.ts';
import { DEFAULT_MAX_BATCHED_TOKENS } from './engine-state.ts';
import type { ServingReplica, Situation } from './replay.ts';

export interface PresentFleet {
  fleet: FleetInput;
  /** Replicas that are routed, with their step-time models. */
  routed: readonly RoutedReplica[];
  policies: readonly SloPolicy[];
  /** Of tenants that declare one. */
  tenantWeights: Readonly<Record<string, number>>;
  /** By deployment; `auto` where absent. */
  modes: Readonly<Record<string, DeploymentMode>>;
}

export interface WhatIfChange {
  /** Each in the place of the one of its name, or beside the others. */
  policies: readonly SloPolicy[];
  /** By kind, whatever hosts say; USD an hour of one accelerator. */
  prices: Readonly<Record<string, number>>;
  addHosts: readonly HostSpec[];
  removeHosts: readonly string[];
  /** How many replicas deployments shall have; as many as now where absent. */
  replicas: Readonly<Record<string, number>>;
  /** The modes that deployments shall have; as now where absent. */
  modes: Readonly<Record<string, DeploymentMode>>;
}

export const NO_CHANGE: WhatIfChange = { policies: [], prices: {}, addHosts: [], removeHosts: [], replicas: {}, modes: {} };

export interface Situations {
  before: Situation;
  after: Situation;
  /** What differs, a line each. */
  changes: string[];
  notes: string[];
}

type Modes = PresentFleet['modes'];

/** A replica as it is or would be. */
interface Placed {
  id: string;
  deployment: string;
  host: string;
  acceleratorKind: string;
  accelerators: readonly number[];
  tensorParallel: number;
  stepTime: StepTimeCoefficients;
  kvCacheTokens: number;
  maxSequences: number;
}

const DEFAULT_MAX_IN_FLIGHT = 256;

/**
 * A deployment that loses replicas with a host gets as many again as there is room for elsewhere; hosts that are added are filled with
 * replicas of whichever deployment has the least capacity for what it is asked, as far as its `replicas.max` allows.
 * @param change as `checkChange` lets it pass
 */
export function situations(present: PresentFleet, change: WhatIfChange): Situations {
  const now = presentReplicas(present);
  const prices = changedPrices(withOwnPrices(present.fleet.prices, change.addHosts), change.prices);
  const changed = new ChangedFleet(present, change, now);
  const situation = (policies: readonly SloPolicy[], replicas: readonly Placed[], paid: Prices, modes: Modes): Situation => ({
    policies,
    tenantWeights: present.tenantWeights,
    replicas: replicas.map((replica) => serving(replica, present.fleet, paid)),
    shadowed: Object.keys(modes).filter((deployment) => modes[deployment] === 'shadow'),
  });
  const replaced = new Set(change.policies.map(({ name }) => name));
  return {
    before: situation(present.policies, now, present.fleet.prices, present.modes),
    after: situation([...present.policies.filter(({ name }) => !replaced.has(name)), ...change.policies], changed.replicas, prices, {
      ...present.modes,
      ...change.modes,
    }),
    changes: [
      ...change.policies.flatMap((policy) => policyChanges(present.policies, policy)),
      ...Object.entries(change.prices).map(([kind, usd]) => `${kind}: ${presentPrice(present.fleet, kind)} -> ${usd} USD/h`),
      ...changed.changes,
      ...Object.entries(change.modes).map(([name, mode]) => `${name}: mode ${present.modes[name] ?? 'auto'} -> ${mode}`),
    ],
    notes: changed.notes,
  };
}

class ChangedFleet {
  replicas: Placed[];
  readonly changes: string[] = [];
  readonly notes: string[] = [];
  readonly #hosts: readonly HostState[];
  readonly #occupancy: Occupancy;
  readonly #book: ShapeBook;
  readonly #now: readonly Placed[];
  #added = 0;

  constructor({ fleet }: PresentFleet, change: WhatIfChange, now: readonly Placed[]) {
    const gone = new Set(change.removeHosts);
    const added = change.addHosts.map(hostStateOf);
    this.#now = now;
    this.#hosts = [...fleet.hosts.filter(({ name }) => !gone.has(name)), ...added];
    this.#occupancy = occupancyOf(
      this.#hosts,
      fleet.replicas.filter(({ host }) => !gone.has(host)),
    );
    this.#book = openShapeBook(fleet);
    this.replicas = now.filter(({ host }) => !gone.has(host));
    for (const name of gone)
      this.changes.push(`host ${name} removed, with ${counted(now.filter((r) => r.host === name).length, 'replica')} that served`);
    for (const { name, accelerators } of added)
      this.changes.push(`host ${name} added, with ${counted(accelerators.length, 'accelerator')}`);
    const deployments = [...fleet.deployments].sort((a, b) => compareText(a.spec.name, b.spec.name));
    // All leave before any comes: there is room then.
    for (const { spec } of deployments) this.#shrink(spec.name, this.#wanted(spec.name, change));
    for (const deployment of deployments) this.#grow(deployment, this.#wanted(deployment.spec.name, change));
    if (added.length > 0) this.#fill(deployments, added, change);
    for (const { name } of added) {
      if (!this.replicas.some(({ host }) => host === name)) this.notes.push(`no replica may or can be placed on host ${name}`);
    }
    for (const { spec } of deployments) this.#tell(spec.name);
  }

  #wanted(deployment: string, { replicas }: WhatIfChange): number {
    return replicas[deployment] ?? of(this.#now, deployment).length;
  }

  #shrink(deployment: string, wanted: number): void {
    for (const replica of of(this.replicas, deployment).slice(wanted)) {
      this.replicas = this.replicas.filter((r) => r !== replica);
      this.#occupancy.release(replica.host, replica.accelerators);
    }
  }

  #grow(deployment: DeploymentDemand, wanted: number): void {
    const { name } = deployment.spec;
    while (of(this.replicas, name).length < wanted) {
      if (this.#place(deployment, this.#hosts)) continue;
      const missing = wanted - of(this.replicas, name).length;
      this.notes.push(`${name}: no room for ${counted(missing, 'more replica')}`);
      return;
    }
  }

  #fill(deployments: readonly DeploymentDemand[], hosts: readonly HostState[], { replicas }: WhatIfChange): void {
    let open = deployments.filter(({ spec }) => replicas[spec.name] === undefined);
    while (open.length > 0) {
      open = open.filter(({ spec }) => of(this.replicas, spec.name).length < spec.replicas.max);
      const [neediest] = [...open].sort((a, b) => this.#load(b) - this.#load(a));
      if (neediest && !this.#place(neediest, hosts)) open = open.filter((d) => d !== neediest);
    }
  }

  /** What it is asked for over what its replicas can serve. */
  #load(deployment: DeploymentDemand): number {
    const capacity = of(this.replicas, deployment.spec.name).reduce((sum, { host: name, acceleratorKind, tensorParallel }) => {
      const host = this.#hosts.find((h) => h.name === name);
      return sum + ((host && this.#book.shape(deployment, host, acceleratorKind, tensorParallel))?.capacity.requestsPerSecond ?? 0);
    }, 0);
    return deployment.demand.requestsPerSecond / Math.max(capacity, Number.MIN_VALUE);
  }

  /** In a shape that it has already, else in the one that serves most an accelerator. */
  #place(deployment: DeploymentDemand, hosts: readonly HostState[]): boolean {
    const { name } = deployment.spec;
    const own = of(this.#now, name);
    const like = (kind: string, width: number) => own.find((r) => r.acceleratorKind === kind && r.tensorParallel === width);
    const [best] = hosts
      .filter(isSchedulable)
      .flatMap((host) => this.#book.shapesOn(deployment, host).map((shape) => ({ host, shape })))
      .filter(({ host, shape }) => isAllowed(deployment, host, shape.acceleratorKind))
      .map(({ host, shape }) => ({ host, shape, free: this.#occupancy.free(host, shape.acceleratorKind) }))
      .filter(({ shape, free }) => free.length >= shape.tensorParallel)
      .map((c) => ({ ...c, model: like(c.shape.acceleratorKind, c.shape.tensorParallel) }))
      .sort((a, b) => Number(b.model !== undefined) - Number(a.model !== undefined) || perAccelerator(b.shape) - perAccelerator(a.shape));
    if (!best) return false;
    const { host, shape, free, model } = best;
    const accelerators = free.slice(0, shape.tensorParallel);
    this.#occupancy.hold(host.name, accelerators);
    this.#added += 1;
    this.replicas.push({
      id: `new-${this.#added}`,
      deployment: name,
      host: host.name,
      acceleratorKind: shape.acceleratorKind,
      accelerators,
      tensorParallel: shape.tensorParallel,
      stepTime: model?.stepTime ?? shape.speed.stepTime,
      kvCacheTokens: model?.kvCacheTokens ?? shape.speed.kvCacheTokens,
      maxSequences: model?.maxSequences ?? Number(deployment.spec.engine.args['max-num-seqs'] ?? DEFAULT_MAX_IN_FLIGHT),
    });
    return true;
  }

  #tell(deployment: string): void {
    const [was, is] = [of(this.#now, deployment), of(this.replicas, deployment)];
    const came = is.filter((r) => !was.includes(r)).map((r) => `${r.tensorParallel} × ${r.acceleratorKind} on ${r.host}`);
    if (came.length === 0 && is.length === was.length) return;
    this.changes.push(`${deployment}: replicas ${was.length} -> ${is.length}${came.length > 0 ? `, new: ${came.join(', ')}` : ''}`);
  }
}

const of = (replicas: readonly Placed[], deployment: string) => replicas.filter((r) => r.deployment === deployment);

function perAccelerator({ capacity, tensorParallel }: { capacity: { requestsPerSecond: number }; tensorParallel: number }): number {
  return capacity.requestsPerSecond / tensorParallel;
}

/** Those that take requests, as much of them as monitoring lets in. */
function presentReplicas({ fleet, routed }: PresentFleet): Placed[] {
  const known = new Map<string, Replica>(fleet.replicas.map((r) => [r.id, r]));
  return routed.flatMap(({ replicaId, weight, stepTime, kvCacheTokens, kvShare, maxInFlight, maxInFlightShare }) => {
    const replica = known.get(replicaId);
    if (!replica || weight === 0) return [];
    const { id, deployment, host, acceleratorKind, accelerators, tensorParallel } = replica;
    const most = {
      kvCacheTokens: allowedPart(kvCacheTokens, kvShare),
      maxSequences: allowedPart(maxInFlight, maxInFlightShare),
    };
    return [{ id, deployment, host, acceleratorKind, accelerators, tensorParallel, stepTime, ...most }];
  });
}

function serving(replica: Placed, { deployments, models }: FleetInput, prices: Prices): ServingReplica {
  const spec = deployments.find((d) => d.spec.name === replica.deployment)?.spec;
  const args = spec?.engine.args ?? {};
  const price = pricePerHour(prices, replica.host, replica.acceleratorKind);
  const context = args['max-model-len'] ?? (spec && models[spec.model]?.maxContextTokens);
  return {
    deployment: replica.deployment,
    spec: {
      id: replica.id,
      stepTime: replica.stepTime,
      kvCacheTokens: replica.kvCacheTokens,
      maxContextTokens: context === undefined ? Number.POSITIVE_INFINITY : Number(context),
      maxSequences: replica.maxSequences,
      maxBatchedTokens: Number(args['max-num-batched-tokens'] ?? DEFAULT_MAX_BATCHED_TOKENS),
      // As engines are started.
      scheduling: args['scheduling-policy'] === 'fcfs' ? 'fcfs' : 'priority',
      // Observations do not say which prompts begin alike.
      prefixBlockTokens: null,
      usdPerHour: price === null ? null : price * replica.accelerators.length,
    },
  };
}

function changedPrices({ byKind, byHost }: Prices, changed: Readonly<Record<string, number>>): Prices {
  const keeps = ([kind]: [string, number]) => !(kind in changed);
  return {
    byKind: { ...byKind, ...changed },
    byHost: Object.fromEntries(Object.entries(byHost).map(([host, own]) => [host, Object.fromEntries(Object.entries(own).filter(keeps))])),
  };
}

function withOwnPrices(prices: Prices, hosts: readonly HostSpec[]): Prices {
  return { ...prices, byHost: { ...prices.byHost, ...Object.fromEntries(hosts.map((h) => [h.name, declaredPricesOf(h)])) } };
}

/** Hosts may differ. */
function presentPrice({ hosts, prices }: FleetInput, kind: string): string {
  const on = hosts.filter(({ accelerators }) => accelerators.includes(kind));
  const all = on.length > 0 ? on.map(({ name }) => pricePerHour(prices, name, kind)) : [prices.byKind[kind] ?? null];
  return [...new Set(all.map((usd) => (usd === null ? 'no price' : String(usd))))].sort(compareText).join(' or ');
}

function policyChanges(present: readonly SloPolicy[], policy: SloPolicy): string[] {
  const old = present.find(({ name }) => name === policy.name);
  if (!old) return [`SloPolicy ${policy.name}: new`];
  return diffLines(old, policy).map((line) => `SloPolicy ${policy.name}: ${line}`);
}

/** @throws invalid-input for a host or a deployment that is not there, or is there already */
export function checkChange(fleet: FleetInput, { addHosts, removeHosts, replicas, modes }: WhatIfChange): void {
  const issues: FieldIssue[] = [];
  const hosts = fleet.hosts.map(({ name }) => name);
  const deployments = fleet.deployments.map(({ spec }) => spec.name);
  const oneOf = (names: readonly string[], what: string) =>
    names.length > 0 ? `one of ${names.join(', ')}` : `nothing: there is no ${what}`;
  for (const [i, name] of removeHosts.entries()) {
    if (!hosts.includes(name)) issues.push({ field: `removeHosts[${i}]`, given: JSON.stringify(name), allowed: oneOf(hosts, 'host') });
  }
  for (const [i, { name, external }] of addHosts.entries()) {
    if (hosts.includes(name))
      issues.push({ field: `addHosts[${i}].name`, given: JSON.stringify(name), allowed: 'the name of no host that is there' });
    if (external) issues.push({ field: `addHosts[${i}].external`, given: 'endpoints', allowed: 'nothing: how fast they are is not known' });
  }
  for (const [field, named] of Object.entries({ replicas, modes })) {
    for (const name of Object.keys(named)) {
      if (deployments.includes(name)) continue;
      issues.push({ field: `${field}.${name}`, given: JSON.stringify(name), allowed: oneOf(deployments, 'deployment that serves') });
    }
  }
  if (issues.length > 0) throw new UellmError({ kind: 'invalid-input', what: 'the request body', issues });
}
