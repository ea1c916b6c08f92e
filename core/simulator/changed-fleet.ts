/** Which replicas serve on which accelerators in a what-if: those of now, and those of a fleet that has changed. */
import { counted } from '../domain/counted.ts';
import { type HostState, hostStateOf, isSchedulable } from '../domain/fleet.ts';
import type { Replica } from '../domain/replica.ts';
import { allowedPart, type RoutedReplica } from '../domain/routing.ts';
import type { StepTimeCoefficients } from '../domain/step-time.ts';
import { isAllowed } from '../placement/choose.ts';
import type { FleetInput } from '../placement/fleet/problem.ts';
import { type Occupancy, occupancyOf } from '../placement/occupancy.ts';
import { compareText } from '../placement/rank.ts';
import { openShapeBook, type ShapeBook } from '../placement/shapes.ts';
import type { DeploymentDemand } from '../placement/types.ts';
import type { WhatIfChange } from './what-if-change.ts';

/** A replica as it is or would be. */
export interface Placed {
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
 */
export class ChangedFleet {
  replicas: Placed[];
  readonly changes: string[] = [];
  readonly notes: string[] = [];
  readonly #hosts: readonly HostState[];
  readonly #occupancy: Occupancy;
  readonly #book: ShapeBook;
  readonly #now: readonly Placed[];
  #added = 0;

  constructor(fleet: FleetInput, change: WhatIfChange, now: readonly Placed[]) {
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
export function presentReplicas(fleet: FleetInput, routed: readonly RoutedReplica[]): Placed[] {
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
