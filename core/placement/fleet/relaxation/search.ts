/** Searching by planning again: one deployment, changed, in the room that a plan leaves it. */
import type { DeploymentDemand } from '../../types.ts';
import type { FleetInput } from '../problem.ts';
import { isServed, type Placed, type Room } from './room.ts';

export type Replan = (input: FleetInput) => readonly Placed[];

export interface Fits {
  /** Replicas that serve the one deployment of the input in full; null where there are none, or enough was tried. */
  (input: FleetInput): readonly Placed[] | null;
  /** Does what fits hold in simulation, too? True where nothing is simulated. */
  holds(input: FleetInput): boolean;
}

export interface SearchEffort {
  replan: Replan;
  /** The same with shapes tried by simulation; null: nothing is. */
  simulated: Replan | null;
  /** Plans made for all refusals together, at most. */
  relax: number;
}

/** Plans made for one refusal, and in all so many hosts planned for: a second or two. */
const PLANS_EACH = 80;
const MOST_HOSTS = 20_000;
/** Multiples of what fits by the closed form, where simulation finds that it does not. */
export const MORE = [1, 1.03, 1.07, 1.15, 1.3, 1.6, 2];

/** For each refusal a search of its own. Where all is spent, what is reckoned without a plan remains. */
export function openSearch({ replan, simulated, relax }: SearchEffort, hosts: number): { next(): Fits } {
  let left = Math.min(relax, MOST_HOSTS / hosts);
  const served = (input: FleetInput, replicas: readonly Placed[]) => (isServed(input.deployments[0]!, replicas) ? replicas : null);
  return {
    next() {
      let own = PLANS_EACH;
      return Object.assign((input: FleetInput) => (left-- > 0 && own-- > 0 ? served(input, replan(input)) : null), {
        holds: (input: FleetInput) => simulated === null || served(input, simulated(input)) !== null,
      });
    },
  };
}

/** The first of them that holds in simulation, of the few that are looked at. */
export function firstThatHolds<T>(fits: Fits, candidates: readonly T[], inputOf: (candidate: T) => FleetInput): T | undefined {
  return candidates.find((candidate) => fits.holds(inputOf(candidate)));
}

/** The room, its one deployment changed. */
export function changed(room: Room, change: (deployment: DeploymentDemand) => DeploymentDemand): Room {
  return { ...room, deployments: room.deployments.map(change) };
}

export function withMaximum(max: number) {
  return ({ spec, ...rest }: DeploymentDemand): DeploymentDemand => ({ ...rest, spec: { ...spec, replicas: { ...spec.replicas, max } } });
}

/** The least whole number that does, where the greatest does. */
export function leastFrom(least: number, greatest: number, does: (n: number) => boolean): number {
  let [low, high] = [least, greatest];
  while (low < high) {
    const middle = Math.floor((low + high) / 2);
    if (does(middle)) high = middle;
    else low = middle + 1;
  }
  return high;
}
