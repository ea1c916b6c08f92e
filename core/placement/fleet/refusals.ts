/** Why a deployment is not served, or only in part: the constraint that binds, and the nearest thing that would do. */
import { isSchedulable } from '../../domain/fleet.ts';
import type { Refusal } from '../../domain/refusal.ts';
import { isAllowed, missFactor } from '../choose.ts';
import { pricePerHour } from '../cost.ts';
import { ranked } from '../rank.ts';
import { memoryRefusal, placementRefusal, type ShapeOption, sloRefusal } from '../refuse.ts';
import { type ShapeBook, widthsOf } from '../shapes.ts';
import { countOf, describeShape, perSecond } from '../wording.ts';
import { openCounts } from './counts.ts';
import { type Column, type FleetInput, type FleetProblem, shortfallOf, type Wish } from './problem.ts';

/** @param counts replicas, one number a column */
export function fleetRefusals(input: FleetInput, problem: FleetProblem, book: ShapeBook, counts: readonly number[]): Refusal[] {
  const short = shortfallOf(problem, counts);
  const unlimited = openCounts({ ...problem, wishes: problem.wishes.map((w) => ({ ...w, maxReplicas: Number.POSITIVE_INFINITY })) });
  for (const [i, count] of counts.entries()) unlimited.add(i, count);
  return problem.wishes.flatMap((wish, w) => {
    const { unmetPerSecond, missingReplicas } = short[w]!;
    if (unmetPerSecond === 0 && missingReplicas === 0) return [];
    const own = problem.columns.flatMap((column, i) => (column.wish === w ? [{ column, count: counts[i]!, room: unlimited.room(i) }] : []));
    return own.length === 0 ? [noShape(input, book, wish)] : [noRoom(wish, own, unmetPerSecond, missingReplicas)];
  });
}

/** Nothing in the fleet could serve it, were the fleet empty. */
function noShape(input: FleetInput, book: ShapeBook, { deployment }: Wish): Refusal {
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
  if (attaining.length === 0) {
    const [nearest] = ranked(
      allowed,
      ({ shape }) => [missFactor(shape.capacity.unloaded, deployment.targets), shape.tensorParallel],
      ({ host }) => host.name,
    );
    return sloRefusal(deployment, nearest!.shape);
  }
  const priced = attaining.filter(({ host, shape }) => pricePerHour(input.prices, host.name, shape.acceleratorKind) !== null);
  const subject = deployment.spec.name;
  if (priced.length === 0) {
    const kinds = [...new Set(attaining.map(({ shape }) => shape.acceleratorKind))].join(', ');
    const message = `it fits ${kinds}, which has no price, neither in the catalog nor on the host`;
    return { kind: 'refused', on: 'price', subject, message, nearest: `give usdPerHour for ${kinds}` };
  }
  const [first] = priced;
  const open = priced.some(({ host }) => isSchedulable(host));
  return {
    kind: 'waiting',
    on: 'accelerators',
    subject,
    message: open ? 'every accelerator that it fits is held by others' : 'no host that it fits takes new work',
    nearest: `fits on ${describeShape(first!.shape)} of host ${first!.host.name}`,
  };
}

/** One way to serve it, how many replicas of that there are, and how many more would fit, were it for room alone. */
interface Way {
  column: Column;
  count: number;
  room: number;
}

/** It has shapes, and no room for enough of them; or it may not have as many replicas as there is room for. */
function noRoom(wish: Wish, own: readonly Way[], unmetPerSecond: number, missingReplicas: number): Refusal {
  const { deployment, requestsPerSecond, maxReplicas, minReplicas } = wish;
  const subject = deployment.spec.name;
  const replicas = own.reduce((sum, o) => sum + o.count, 0);
  const placed =
    unmetPerSecond > 0
      ? `${countOf(replicas)} can serve ${perSecond(requestsPerSecond - unmetPerSecond)} of ${perSecond(requestsPerSecond)}`
      : `${replicas} of ${countOf(minReplicas)} are placed`;
  const more = ({ column }: Way) => Math.max(Math.ceil(unmetPerSecond / column.requestsPerSecond - 1e-9), missingReplicas);
  const usd = (way: Way) => more(way) * way.column.usdPerHour;
  const ways = [...own].sort((a, b) => usd(a) - usd(b) || a.column.width - b.column.width);
  const fitting = ways.find((way) => way.room >= more(way) && replicas + more(way) > maxReplicas);
  if (fitting) {
    return {
      kind: 'refused',
      on: 'replicas',
      subject,
      message: `${placed}; more than ${countOf(maxReplicas)} are not allowed`,
      nearest: `fits with replicas.max ${replicas + more(fitting)}`,
    };
  }
  const [cheapest] = ways;
  const { shape, width } = cheapest!.column;
  const needed = more(cheapest!);
  const inGroups = width > 1 ? `, ${width} to a host at least` : '';
  const beyond = replicas + needed > maxReplicas ? `, and replicas.max ${replicas + needed}` : '';
  return {
    kind: 'waiting',
    on: 'accelerators',
    subject,
    message: `${placed}; no accelerators are left that it fits`,
    nearest: `fits with ${needed * width} more ${shape.acceleratorKind}${inGroups}${beyond}`,
  };
}
