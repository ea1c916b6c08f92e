/** Why a deployment is not served, or only in part: the constraint that binds, and the nearest thing that would do (`relaxation/`). */
import { isSchedulable } from '../../domain/fleet.ts';
import type { Refusal } from '../../domain/refusal.ts';
import { isAllowed, missFactor } from '../choose.ts';
import { contextRefusal, isBeyondContext } from '../context-length.ts';
import { pricePerHour } from '../cost.ts';
import { ranked } from '../rank.ts';
import { memoryRefusal, placementRefusal, type ShapeOption, sloRefusal } from '../refuse.ts';
import { openShapeBook, type Shape, widthsOf } from '../shapes.ts';
import type { DeploymentDemand } from '../types.ts';
import { countOf, perSecondOf } from '../wording.ts';
import type { FleetInput } from './problem.ts';
import { nearestOf } from './relaxation/nearest.ts';
import { capacityOf, isServed, keepsApart, type Placed, placedOf, type Room, roomFor } from './relaxation/room.ts';
import { openSearch, type SearchEffort } from './relaxation/search.ts';

export interface RefusalDetail {
  /** What would have served a useless share of its deployment's demand, and was not placed for that. */
  attempted: readonly Placed[];
  /** For the nearest that would do; null: it is not looked for. */
  search: SearchEffort | null;
}

/** One for each deployment that the replicas leave short. */
export function fleetRefusals(input: FleetInput, replicas: readonly Placed[], { attempted, search: effort }: RefusalDetail): Refusal[] {
  const search = effort && openSearch(effort, input.hosts.length);
  return input.deployments
    .filter((d) => !isServed(d, replicas))
    .map((deployment) => {
      const room = roomFor(input, replicas, deployment);
      const refusal = reasonOf(input, room, deployment, replicas, attempted);
      return search ? nearestOf(refusal, room, search.next()) : refusal;
    });
}

function reasonOf(
  input: FleetInput,
  room: Room,
  deployment: DeploymentDemand,
  replicas: readonly Placed[],
  tried: readonly Placed[],
): Refusal {
  const model = input.models[deployment.spec.model];
  if (model && isBeyondContext(deployment, model)) return contextRefusal(deployment, model);
  const own = placedOf(deployment, replicas);
  const attempted = placedOf(deployment, tried);
  const without = own.length + attempted.length === 0 ? noShape(input, deployment) : null;
  return without ?? noRoom(room, deployment, own, attempted);
}

/** Nothing in the fleet could serve it, were the fleet empty; null where something could. */
function noShape(input: FleetInput, deployment: DeploymentDemand): Refusal | null {
  const book = openShapeBook(input);
  const hosts = input.hosts.filter((h) => !h.external);
  const options: ShapeOption[] = hosts.flatMap((host) =>
    [...new Set(host.accelerators)].flatMap((kind) => {
      const count = host.accelerators.filter((k) => k === kind).length;
      return widthsOf(deployment)
        .filter((width) => width <= count)
        .flatMap((width) => book.shape(deployment, host, kind, width) ?? [])
        .map((shape) => ({ host, shape }));
    }),
  );
  if (options.length === 0) return memoryRefusal(deployment, hosts, input.models[deployment.spec.model]);
  const allowed = options.filter(({ host, shape }) => isAllowed(deployment, host, shape.acceleratorKind));
  if (allowed.length === 0) return placementRefusal(deployment, options);
  const attaining = allowed.filter(({ shape }) => shape.capacity.meetsSlo);
  if (attaining.length === 0) return sloRefusal(deployment, nearestShape(deployment, allowed));
  const priced = attaining.filter(({ host, shape }) => pricePerHour(input.prices, host.name, shape.acceleratorKind) !== null);
  const subject = deployment.spec.name;
  if (priced.length === 0) {
    const kinds = [...new Set(attaining.map(({ shape }) => shape.acceleratorKind))].join(', ');
    const message = `it fits ${kinds}, which has no price, neither in the catalog nor on the host`;
    return { kind: 'refused', on: 'price', subject, message, nearest: `give usdPerHour for ${kinds}` };
  }
  if (priced.some(({ host }) => isSchedulable(host))) return null;
  return { kind: 'waiting', on: 'accelerators', subject, message: 'no host that it fits takes new work' };
}

function nearestShape(deployment: DeploymentDemand, options: readonly ShapeOption[]): Shape {
  const [nearest] = ranked(
    options,
    ({ shape }) => [missFactor(shape.capacity.unloaded, deployment.targets), shape.tensorParallel],
    ({ host }) => host.name,
  );
  return nearest!.shape;
}

/** It has shapes, and no room for enough of them; or what room there is would hardly serve anything. */
function noRoom(room: Room, { spec, demand }: DeploymentDemand, own: readonly Placed[], attempted: readonly Placed[]): Refusal {
  const rate = (replicas: readonly Placed[]) => perSecondOf(capacityOf(replicas), demand.requestsPerSecond);
  const isFull = own.length >= spec.replicas.max;
  const why = isFull ? `no more than ${countOf(spec.replicas.max)} may be` : 'no accelerators are left that it fits';
  const placed =
    capacityOf(own) < demand.requestsPerSecond ? `${countOf(own.length)} can serve ${rate(own)}` : missing(own, spec.replicas.min);
  const accelerators = attempted.flatMap((r) => (r.stages ?? [r]).flatMap((s) => s.accelerators)).length;
  const shared = keepsApart(room) ? ' on hosts that it may share' : '';
  return {
    ...(isFull ? { kind: 'refused', on: 'replicas' } : { kind: 'waiting', on: 'accelerators' }),
    subject: spec.name,
    message:
      attempted.length > own.length
        ? `${accelerators} accelerators would serve ${rate(attempted)}, too little to be worth them`
        : `${own.length > 0 ? `${placed}; ` : ''}${why}${shared}`,
  };
}

function missing(own: readonly Placed[], least: number): string {
  return `${own.length} of ${countOf(least)} are placed`;
}
