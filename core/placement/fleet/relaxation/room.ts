/** What a plan leaves to one deployment: everything that the others, as they are planned, do not hold, and do not keep it from. */
import type { HostState } from '../../../domain/fleet.ts';
import { holdsAccelerators } from '../../../domain/replica.ts';
import { apartOf } from '../../affinity.ts';
import type { PipelineStage } from '../../helr/pipeline-shapes.ts';
import type { Shape } from '../../shapes.ts';
import type { DeploymentDemand } from '../../types.ts';
import type { FleetInput } from '../problem.ts';

/** A replica of a plan. */
export interface Placed {
  deployment: string;
  host: string;
  accelerators: number[];
  shape: Shape;
  stages?: PipelineStage[];
}

export function placedOf<P extends Placed>({ spec }: DeploymentDemand, replicas: readonly P[]): P[] {
  return replicas.filter((r) => r.deployment === spec.name);
}

/** Requests a second. */
export function capacityOf(replicas: readonly Placed[]): number {
  return replicas.reduce((sum, r) => sum + r.shape.capacity.requestsPerSecond, 0);
}

export function isServed(deployment: DeploymentDemand, replicas: readonly Placed[]): boolean {
  const { requestsPerSecond } = deployment.demand;
  const own = placedOf(deployment, replicas);
  return own.length >= deployment.spec.replicas.min && capacityOf(own) >= requestsPerSecond * (1 - 1e-6);
}

/** One deployment is to be planned; its own replicas, and all that nobody gets, are free. */
export interface Room extends FleetInput {
  /** What its own replicas leave undone, and how many more of them there may be; none where they are pipelines, which may not stay. */
  left: { requestsPerSecond: number; replicas: number; mostMore: number };
}

export function roomFor(input: FleetInput, replicas: readonly Placed[], deployment: DeploymentDemand): Room {
  const { name } = deployment.spec;
  const planned = new Set(input.deployments.map((d) => d.spec.name));
  const held = [
    ...replicas.filter((r) => r.deployment !== name).flatMap((r) => (r.stages ?? [r]).map((s) => ({ ...s, deployment: r.deployment }))),
    ...input.replicas.filter((r) => !planned.has(r.deployment) && holdsAccelerators(r.state)),
  ];
  const apart = apartOf(input.deployments.map((d) => d.spec)).get(name) ?? new Set();
  const shutOut = [...new Set(held.filter((r) => apart.has(r.deployment)).map((r) => r.host))];
  const { antiAffinity: _, ...placement } = deployment.spec.placement;
  const spec = { ...deployment.spec, placement: apart.has(name) ? { ...placement, antiAffinity: [name] } : placement };
  const taken = new Map<string, number[]>();
  for (const { host, accelerators } of held) taken.set(host, [...(taken.get(host) ?? []), ...accelerators]);
  const own = placedOf(deployment, replicas);
  const { min, max } = spec.replicas;
  return {
    ...input,
    hosts: withoutFull(input.hosts.map((h) => (taken.has(h.name) ? { ...h, absent: [...(h.absent ?? []), ...taken.get(h.name)!] } : h))),
    replicas: [],
    pipelines: [],
    left: {
      requestsPerSecond: Math.max(0, deployment.demand.requestsPerSecond - capacityOf(own)),
      replicas: Math.max(0, min - own.length),
      mostMore: own.some((r) => r.stages) ? 0 : max - own.length,
    },
    deployments: [{ ...deployment, spec, ...(shutOut.length > 0 ? { shutOut } : {}) }],
  };
}

/** Are there hosts that it may not have because of who stands there, or because its own replicas want one each? */
export function keepsApart({ deployments }: Room): boolean {
  return deployments.some((d) => d.shutOut !== undefined || d.spec.placement.antiAffinity !== undefined);
}

/** Hosts without a free accelerator are of no use, but for one of each kind, which might have more. */
function withoutFull(hosts: readonly HostState[]): HostState[] {
  const kinds = new Set<string>();
  return hosts.filter((h) => {
    const isNew = h.accelerators.some((kind) => !kinds.has(kind));
    for (const kind of h.accelerators) kinds.add(kind);
    return isNew || new Set(h.absent).size < h.accelerators.length;
  });
}
