/** Where one more replica goes: of all free shapes on all hosts, the first by a list of keys. */
import { type HostState, isSchedulable } from '../domain/fleet.ts';
import { holdsAccelerators } from '../domain/replica.ts';
import type { SloTargets } from '../domain/slo-policy.ts';
import { apartOf } from './affinity.ts';
import type { PredictedLatency } from './capacity/capacity.ts';
import { pricePerHour } from './cost.ts';
import type { Draft, Unit } from './draft.ts';
import { ranked } from './rank.ts';
import type { Shape } from './shapes.ts';
import type { DeploymentDemand } from './types.ts';

export interface Candidate {
  host: HostState;
  shape: Shape;
  accelerators: number[];
  /** null where the kind has no price. */
  usdPerHour: number | null;
}

export interface Need {
  /** What siblings do not cover yet; at most 0 where only their number is short. */
  requestsPerSecond: number;
  /** How many may still be placed, this one among them: with few left, small ones do not do. */
  replicas: number;
}

/** The best place for one more replica beside `siblings`, or undefined where none is free. */
export function bestCandidate(draft: Draft, deployment: DeploymentDemand, siblings: readonly Unit[], need: Need): Candidate | undefined {
  const group = largestGroup(draft);
  const whole = hostsThatFit(draft, group);
  const spread = deployment.spec.placement.spread === 'host';
  const keysOf = ({ host, shape, accelerators, usdPerHour }: Candidate): number[] => {
    const { requestsPerSecond } = shape.capacity;
    const served = need.requestsPerSecond > 0 ? Math.min(need.requestsPerSecond, requestsPerSecond) : 1;
    const free = draft.occupancy.free(host, shape.acceleratorKind).length;
    const siblingsHere = siblings.filter((s) => s.host === host.name).length;
    const breaksLastWhole = whole.length === 1 && whole[0] === host.name && accelerators.length < group;
    return [
      shape.capacity.meetsSlo ? 0 : missFactor(shape.capacity.unloaded, deployment.targets),
      // All of a deployment on one host would be lost with it.
      spread && siblingsHere > 0 && siblingsHere === siblings.length ? 1 : 0,
      // The last host that could take the largest replica of the fleet stays whole: otherwise nobody could drain that one's host.
      breaksLastWhole ? 1 : 0,
      requestsPerSecond * need.replicas < need.requestsPerSecond ? 1 : 0,
      (usdPerHour ?? Number.POSITIVE_INFINITY) / served,
      accelerators.length / served,
      spread ? siblingsHere : 0,
      free - accelerators.length,
    ];
  };
  return ranked(candidates(draft, deployment), keysOf, (c) => c.host.name)[0];
}

/** Hosts that the deployment's own lists allow. A simulated engine imitates accelerators that are not there, a real one needs them. */
export function isAllowed({ spec, shutOut }: DeploymentDemand, host: HostState, kind: string): boolean {
  const { hosts, accelerators } = spec.placement;
  if (host.simulated !== (spec.engine.kind === 'simulated') || shutOut?.includes(host.name)) return false;
  return (hosts.length === 0 || hosts.includes(host.name)) && (accelerators.length === 0 || accelerators.includes(kind));
}

function candidates(draft: Draft, deployment: DeploymentDemand): Candidate[] {
  const { input, occupancy, shapes } = draft;
  return input.hosts
    .filter((host) => isSchedulable(host) && host.name !== input.drainHost && mayShare(draft, deployment, host.name))
    .flatMap((host) =>
      shapes.shapesOn(deployment, host).flatMap((shape) => {
        if (!isAllowed(deployment, host, shape.acceleratorKind)) return [];
        const free = occupancy.free(host, shape.acceleratorKind);
        if (free.length < shape.tensorParallel) return [];
        const price = pricePerHour(input.prices, host.name, shape.acceleratorKind);
        const usdPerHour = price === null ? null : price * shape.tensorParallel;
        return [{ host, shape, accelerators: free.slice(0, shape.tensorParallel), usdPerHour }];
      }),
    );
}

/** Is nothing there, or about to be, that this deployment keeps away from? */
export function mayShare({ input, moves }: Draft, { spec }: DeploymentDemand, host: string): boolean {
  const others = apartOf([...input.deployments.map((d) => d.spec), spec]).get(spec.name);
  if (!others) return true;
  const there = input.replicas.filter((r) => r.host === host && holdsAccelerators(r.state));
  return ![...there, ...moves.filter((m) => m.kind === 'place' && m.host === host)].some((r) => others.has(r.deployment));
}

/** Accelerators of the widest replica of the fleet. */
function largestGroup({ input, moves }: Draft): number {
  const present = input.replicas.filter((r) => holdsAccelerators(r.state)).map((r) => r.tensorParallel);
  const placed = moves.map((m) => (m.kind === 'place' ? m.tensorParallel : 0));
  return Math.max(1, ...present, ...placed);
}

/** Hosts that take new work and have so many accelerators of a kind free. */
export function hostsThatFit({ input, occupancy }: Draft, group = 0): string[] {
  return input.hosts
    .filter((host) => isSchedulable(host) && host.name !== input.drainHost)
    .filter((host) => [...new Set(host.accelerators)].some((kind) => occupancy.free(host, kind).length >= group))
    .map((host) => host.name);
}

/** By how much an idle replica misses its worst target: 1.2 is 20 % over. */
export function missFactor(latency: PredictedLatency, targets: SloTargets | null): number {
  const over = (value: number, target: number | undefined) => (target === undefined ? 1 : value / target);
  return Math.max(1, over(latency.ttftMs, targets?.ttftMs), over(latency.tpotMs, targets?.tpotMs), over(latency.e2eMs, targets?.e2eMs));
}
