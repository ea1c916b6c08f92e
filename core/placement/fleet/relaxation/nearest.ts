/**
 * The nearest that would do for a deployment that is refused or short. Each is planned before it is named: the deployment alone, changed by
 * just that, in what the plan leaves it (`room.ts`). So what is named is true while everything else stands as it is planned.
 */
import { isSchedulable } from '../../../domain/fleet.ts';
import type { Refusal } from '../../../domain/refusal.ts';
import { contextTokens } from '../../context-length.ts';
import type { DeploymentDemand } from '../../types.ts';
import { describeShape } from '../../wording.ts';
import { moreAccelerators } from './more-accelerators.ts';
import { keepsApart, type Room } from './room.ts';
import { changed, type Fits, firstThatHolds, leastFrom, withMaximum } from './search.ts';
import { looserTargets, withTargets } from './targets.ts';

/** Beside more accelerators, looser targets are worth naming up to this multiple. */
const NEAR = 2;
/** They are worth naming beside fewer accelerators where those cost no more than this share. */
const MUCH_LESS = 0.5;
const NAMED = 4;
/** Shares of what fits by the closed form, where simulation finds that it does not. */
const LESS = [1, 0.95, 0.9, 0.8, 0.6, 0.4];

export function nearestOf({ nearest, ...refusal }: Refusal, room: Room, fits: Fits): Refusal {
  switch (refusal.on) {
    case 'price':
      return { ...refusal, ...(nearest === undefined ? {} : { nearest }) };
    case 'context':
      return named(refusal, [shorterPrompts(room, fits)]);
    case 'placement':
      return named(refusal, [otherPlace(room, fits)]);
    case 'slo':
      return named(refusal, looserOrMore(room, fits));
    case 'memory':
      return named(refusal, moreOrBoth(room, fits));
    default:
      return apartOrShort(refusal, room, fits);
  }
}

function named(refusal: Refusal, ways: readonly (string | null)[]): Refusal {
  const found = ways.filter((way) => way !== null);
  return found.length > 0 ? { ...refusal, nearest: `fits ${found.join(', or ')}` } : refusal;
}

function apartOrShort(refusal: Refusal, room: Room, fits: Fits): Refusal {
  if (keepsApart(room) && fits(changed(room, withoutAffinity))) {
    const { message, ...rest } = refusal;
    const apart = named({ ...rest, message, kind: 'refused', on: 'placement' }, [
      'without antiAffinity',
      moreAccelerators(room, fits)?.told ?? null,
    ]);
    return { ...apart, message: `${message}, which antiAffinity decides` };
  }
  const max = largerMaximum(room, fits);
  if (max !== null) return named({ ...refusal, kind: 'refused', on: 'replicas' }, [max]);
  const opened = openedHost(room, fits);
  const looser = looserTargets(room, fits, NEAR);
  return named(refusal, opened ? [opened] : looser ? [moreAccelerators(room, fits)?.told ?? null, looser] : moreOrBoth(room, fits));
}

function looserOrMore(room: Room, fits: Fits): (string | null)[] {
  const looser = looserTargets(room, fits);
  return looser ? [looser] : moreOrBoth(room, fits);
}

/** More accelerators; fewer of them beside looser targets, too. */
function moreOrBoth(room: Room, fits: Fits): (string | null)[] {
  const more = moreAccelerators(room, fits);
  const fewer = moreAccelerators(changed(room, withTargets(NEAR)), fits);
  if (!fewer || (more && fewer.usdPerHour > more.usdPerHour * MUCH_LESS)) return [more?.told ?? null];
  const { targets } = room.deployments[0]!;
  const looser = looserTargets(
    changed(fewer.room, (d) => ({ ...d, targets })),
    fits,
    2 * NEAR,
  );
  return [more?.told ?? null, looser && `${fewer.told} ${looser}`];
}

function withoutAffinity({ shutOut: _, spec, ...rest }: DeploymentDemand): DeploymentDemand {
  const { antiAffinity: __, ...placement } = spec.placement;
  return { ...rest, spec: { ...spec, placement } };
}

function largerMaximum(room: Room, fits: Fits): string | null {
  const { max } = room.deployments[0]!.spec.replicas;
  const placed = fits(changed(room, withMaximum(Number.MAX_SAFE_INTEGER)));
  if (!placed || placed.length <= max) return null;
  return `with replicas.max ${leastFrom(max + 1, placed.length, (most) => fits(changed(room, withMaximum(most))) !== null)}`;
}

function shorterPrompts(room: Room, fits: Fits): string | null {
  const [deployment] = room.deployments as [DeploymentDemand];
  const most = Math.floor(contextTokens(deployment, room.models[deployment.spec.model]!) - deployment.demand.outputTokens);
  const does = (inputTokens: number) => fits(changed(room, (d) => withInput(d, inputTokens))) !== null;
  if (most < 1 || !does(1)) return null;
  let [low, high] = [1, most + 1];
  if (does(most)) low = most;
  while (high - low > 1 + low / 100) {
    const middle = Math.floor((low + high) / 2);
    if (does(middle)) low = middle;
    else high = middle;
  }
  const held = firstThatHolds(
    fits,
    LESS.map((share) => Math.floor(low * share)).filter((n) => n >= 1),
    (n) => changed(room, (d) => withInput(d, n)),
  );
  return held === undefined ? null : `at ${held} input tokens`;
}

function withInput(deployment: DeploymentDemand, inputTokens: number): DeploymentDemand {
  const demand = { ...deployment.demand, inputTokens };
  return { ...deployment, demand, spec: { ...deployment.spec, demand } };
}

function otherPlace(room: Room, fits: Fits): string | null {
  const anywhere = fits(
    changed(room, ({ spec, ...rest }) => ({ ...rest, spec: { ...spec, placement: { ...spec.placement, hosts: [], accelerators: [] } } })),
  );
  if (!anywhere) return null;
  const places = [...new Set(anywhere.map(({ shape, host }) => `${describeShape(shape)} of host ${host}`))];
  return `on ${places.slice(0, NAMED).join(', ')}${places.length > NAMED ? ` and ${places.length - NAMED} others` : ''}`;
}

function openedHost(room: Room, fits: Fits): string | null {
  const closed = room.hosts.filter((h) => !h.external && !isSchedulable(h)).slice(0, NAMED);
  const opened = ({ name }: { name: string }): Room => ({
    ...room,
    hosts: room.hosts.map((h) => (h.name === name ? { ...h, liveness: 'alive', service: 'schedulable' } : h)),
  });
  const host = closed.find((h) => fits(opened(h)));
  return host ? `once host ${host.name} takes new work: it is ${host.liveness} and ${host.service}` : null;
}
