/** How many more accelerators would do, at the least money: further hosts, or a host that there is with more of its kind. */
import { acceleratorKinds } from '../../../domain/accelerators.ts';
import { type HostState, isSchedulable } from '../../../domain/fleet.ts';
import { isAllowed } from '../../choose.ts';
import { pricePerHour } from '../../cost.ts';
import { openShapeBook, widthsOf } from '../../shapes.ts';
import type { DeploymentDemand } from '../../types.ts';
import { keepsApart, type Room } from './room.ts';
import { changed, type Fits, firstThatHolds, leastFrom, MORE, withMaximum } from './search.ts';

/** Ways that are tried of those that look cheapest. */
const TRIED = 3;
/** A fleet that would need more further hosts than this has the wrong kind of accelerator. */
const MOST_HOSTS = 256;
const GROWN_BY = 8;

/** Further hosts of one kind, alike. */
interface Way {
  kind: string;
  width: number;
  host: HostState;
  usdPerHour: number;
  /** With a replica each, they do what its own replicas leave undone. */
  hosts: number;
}

export interface More {
  usdPerHour: number;
  told: string;
  /** What is to be planned, with them in it. */
  room: Room;
}

/** Of kinds that hosts have, where some dozens do; else of any that has a price. */
export function moreAccelerators(room: Room, fits: Fits): More | null {
  const there = new Set(room.hosts.filter((h) => !h.external).flatMap((h) => h.accelerators));
  const others = acceleratorKinds().flatMap(({ id }) => (there.has(id) ? [] : [id]));
  const ways = waysOf(room, [...there].sort());
  const known = cheapest([
    ...ways.slice(0, TRIED).flatMap((way) => furtherHosts(room, fits, way) ?? []),
    ...[...there].sort().flatMap((kind) => grownHost(room, fits, kind) ?? []),
  ]);
  if (known) return known;
  const unheardOf = waysOf(room, others).slice(0, TRIED);
  return cheapest(unheardOf.flatMap((way) => furtherHosts(room, fits, way, ', which no host has') ?? []));
}

function cheapest(found: readonly More[]): More | null {
  return [...found].sort((a, b) => a.usdPerHour - b.usdPerHour)[0] ?? null;
}

function waysOf(room: Room, kinds: readonly string[]): Way[] {
  const [deployment] = room.deployments as [DeploymentDemand];
  const { placement, engine } = deployment.spec;
  if (placement.hosts.length > 0) return [];
  const book = openShapeBook(room);
  const ways = kinds.flatMap((kind) => {
    const like = room.hosts.find((h) => h.accelerators.includes(kind) && !h.external);
    const usdPerHour = pricePerHour(room.prices, like?.name ?? '', kind);
    return widthsOf(deployment).flatMap((width): Way[] => {
      const host: HostState = {
        ...{ name: '', accelerators: Array.from({ length: width }, () => kind), links: like?.links ?? [] },
        ...{ simulated: engine.kind === 'simulated', external: false, liveness: 'alive', service: 'schedulable' },
      };
      const capacity = book.shape(deployment, host, kind, width)?.capacity;
      if (usdPerHour === null || !isAllowed(deployment, host, kind) || !capacity?.meetsSlo || capacity.requestsPerSecond <= 0) return [];
      const serving = Math.ceil(room.left.requestsPerSecond / capacity.requestsPerSecond - 1e-9);
      return [{ kind, width, host, usdPerHour: usdPerHour * width, hosts: Math.max(1, serving, room.left.replicas) }];
    });
  });
  return ways.sort((a, b) => a.usdPerHour * a.hosts - b.usdPerHour * b.hosts || a.width - b.width);
}

function furtherHosts(room: Room, fits: Fits, { kind, width, host, usdPerHour, hosts: most }: Way, unknown = ''): More | null {
  if (most > MOST_HOSTS) return null;
  const withHosts = (count: number): Room => {
    const names = Array.from({ length: count }, (_, i) => `further-${String(i).padStart(3, '0')}`);
    return {
      ...room,
      hosts: [...room.hosts, ...names.map((name) => ({ ...host, name }))],
      prices: {
        ...room.prices,
        byHost: { ...room.prices.byHost, ...Object.fromEntries(names.map((name) => [name, { [kind]: usdPerHour / width }])) },
      },
    };
  };
  const more = (count: number, max?: number): More => {
    const inGroups = keepsApart(room)
      ? `, on ${count} other ${count === 1 ? 'host' : 'hosts'}`
      : width > 1
        ? `, ${width} to a host at least`
        : '';
    const larger = max === undefined ? withHosts(count) : changed(withHosts(count), withMaximum(max));
    const beyond = max === undefined ? '' : `, and replicas.max ${max}`;
    return { usdPerHour: usdPerHour * count, told: `with ${count * width} more ${kind}${unknown}${inGroups}${beyond}`, room: larger };
  };
  const does = (count: number) => fits(withHosts(count)) !== null;
  if (most <= room.left.mostMore || does(most)) {
    const least = leastFrom(1, most, does);
    const count = firstThatHolds(
      fits,
      MORE.map((share) => Math.ceil(least * share)),
      withHosts,
    );
    return count === undefined ? null : more(count);
  }
  const placed = fits(changed(withHosts(most), withMaximum(Number.MAX_SAFE_INTEGER)));
  return placed && more(most, placed.length);
}

/** The host that has most of the kind left, and may be had. */
function grownHost(room: Room, fits: Fits, kind: string): More | null {
  const [deployment] = room.deployments as [DeploymentDemand];
  const left = ({ accelerators, absent }: HostState) => accelerators.filter((k, i) => k === kind && !absent?.includes(i)).length;
  const [host] = room.hosts
    .filter((h) => h.accelerators.includes(kind) && isSchedulable(h) && isAllowed(deployment, h, kind))
    .sort((a, b) => left(b) - left(a));
  const usdPerHour = host && pricePerHour(room.prices, host.name, kind);
  if (!host || usdPerHour === null || usdPerHour === undefined) return null;
  const grown = (count: number): Room => {
    const larger = { ...host, accelerators: [...host.accelerators, ...Array.from({ length: count }, () => kind)] };
    return { ...room, hosts: room.hosts.map((h) => (h === host ? larger : h)) };
  };
  const does = (count: number) => fits(grown(count)) !== null;
  if (!does(GROWN_BY)) return null;
  const least = leastFrom(1, GROWN_BY, does);
  const count = [...Array(GROWN_BY + 1 - least).keys()].map((n) => least + n).find((n) => fits.holds(grown(n)));
  if (count === undefined) return null;
  return { usdPerHour: usdPerHour * count, told: `with ${count} more ${kind} on host ${host.name}`, room: grown(count) };
}
