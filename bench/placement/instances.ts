/** Fleets of many sizes with what is asked of them, each made from its seed alone. */
import { catalogPrices } from '../../core/domain/accelerators.ts';
import type { HostState } from '../../core/domain/fleet.ts';
import type { FleetInput } from '../../core/placement/fleet/problem.ts';
import { createRandom, type Random } from '../../core/simulator/random.ts';
import { drawWishes } from './wishes.ts';

export interface Instance {
  seed: number;
  accelerators: number;
  /** Share of the fleet that is asked for, roughly; above 1 not everything can be served. */
  load: number;
  input: FleetInput;
}

/** Kinds that the catalog has a price for, and how many accelerators a host of theirs has. */
const HOSTS = [
  ['H100-SXM', [8, 8, 4]],
  ['H200-SXM', [8]],
  ['B200-SXM', [8, 4]],
  ['A100-80G-SXM', [8, 4]],
  ['A100-40G-SXM', [8, 4]],
  ['L40S', [8, 4, 2, 1]],
  ['A6000', [4, 2, 1]],
] as const;

/** Of every four fleets one is short. */
const SHORT_EVERY = 4;
const LEAST_ACCELERATORS = 10;
const MOST_ACCELERATORS = 200;
const LEAST_MODELS = 2;
const MOST_MODELS = 20;
/** With fewer there is little to choose. */
const LEAST_ACCELERATORS_A_MODEL = 4;

/** 10 to 200 accelerators of 3 to 5 kinds, 2 to 20 models. */
export function drawInstance(seed: number): Instance {
  const random = createRandom(`placement ${seed}`);
  const accelerators = Math.round(LEAST_ACCELERATORS * (MOST_ACCELERATORS / LEAST_ACCELERATORS) ** random());
  const hosts = drawHosts(random, accelerators, 3 + Math.floor(random() * 3));
  const total = hosts.reduce((sum, h) => sum + h.accelerators.length, 0);
  const most = Math.min(MOST_MODELS, Math.floor(total / LEAST_ACCELERATORS_A_MODEL));
  const count = LEAST_MODELS + Math.floor(random() * (most - LEAST_MODELS + 1));
  const load = seed % SHORT_EVERY === 0 ? 1.2 + random() : 0.1 + 0.7 * random();
  return { seed, accelerators: total, load, input: inputOf(random, hosts, { count, load }) };
}

/** Hosts of eight, as many of each of five kinds. */
export function largeInstance(seed: number, { hosts, models, load }: { hosts: number; models: number; load: number }): FleetInput {
  const kinds = ['H100-SXM', 'H200-SXM', 'A100-80G-SXM', 'A100-40G-SXM', 'L40S'];
  const fleet = Array.from({ length: hosts }, (_, i) => hostOf(`host-${i + 1}`, kinds[i % kinds.length]!, 8));
  return inputOf(createRandom(`large ${seed}`), fleet, { count: models, load });
}

function inputOf(random: Random, hosts: readonly HostState[], wanted: { count: number; load: number }): FleetInput {
  return { hosts, prices: { byKind: catalogPrices(), byHost: {} }, replicas: [], stepTimes: [], ...drawWishes(random, hosts, wanted) };
}

function drawHosts(random: Random, accelerators: number, kinds: number): HostState[] {
  const left = [...HOSTS];
  const chosen = Array.from({ length: kinds }, () => left.splice(Math.floor(random() * left.length), 1)[0]!);
  const hosts: HostState[] = [];
  for (let total = 0; total < accelerators; total += hosts.at(-1)!.accelerators.length) {
    // Every kind once, then whichever.
    const [kind, widths] = chosen[hosts.length] ?? chosen[Math.floor(random() * kinds)]!;
    const width = widths[Math.floor(random() * widths.length)]!;
    hosts.push(hostOf(`host-${hosts.length + 1}`, kind, Math.min(width, Math.max(1, accelerators - total))));
  }
  return hosts;
}

export function hostOf(name: string, kind: string, accelerators: number): HostState {
  return {
    ...{ name, accelerators: Array.from({ length: accelerators }, () => kind), links: [] },
    ...{ simulated: false, external: false, liveness: 'alive', service: 'schedulable' },
  };
}
