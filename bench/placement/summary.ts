/** From results to what is compared, and to the bars of the issue. */
import { quantile } from '../../core/domain/statistics.ts';
import type { CapacityBench } from './capacity.ts';
import type { InstanceResult } from './measure.ts';
import { PEERS } from './peers/peers.ts';
import { isRight, type SlowLinkResult } from './slow-links.ts';
import type { FleetTime } from './timing.ts';

export interface Bar {
  aim: string;
  reached: boolean;
  figure: string;
}

export interface Quantiles {
  count: number;
  median: number;
  p90: number;
  worst: number;
}

export interface PeerSummary {
  peer: string;
  /** Of the instances that the fleet planner serves, how many it does not. */
  fails: number;
  of: number;
  /** Where it serves all, the share of its money that the fleet planner saves: quartiles and both ends. */
  saving: { least: number; lower: number; median: number; upper: number; most: number } | null;
}

export interface Summary {
  /** Where everything is served: cost over its lower bound, less 1. */
  gap: Quantiles;
  /** The same of short fleets, among plans with as little unmet. */
  shortGap: Quantiles | null;
  /** Of short fleets: unmet demand above the least there can be, as a share of all demand. */
  unmetAboveLeast: Quantiles | null;
  /** Short fleets whose least unmet demand is proven. */
  proven: number;
  faults: string[];
  hosts: number;
  mostHosts: number;
  onOneHost: number;
  /** Fleets in which something moves when the plan is made again of what it came to. */
  restless: number;
  cpuMs: Quantiles;
  peers: PeerSummary[];
}

export function summarise(results: readonly InstanceResult[]): Summary {
  const served = results.filter((r) => r.refusals === 0);
  const short = results.filter((r) => r.refusals > 0);
  const gaps = (of: readonly InstanceResult[]) =>
    of.map((r) => (r.lowerBoundUsdPerHour > 0 ? r.usdPerHour / r.lowerBoundUsdPerHour - 1 : 0));
  const total = (of: (r: InstanceResult) => number) => results.reduce((sum, r) => sum + of(r), 0);
  return {
    gap: quantilesOf(gaps(served))!,
    shortGap: quantilesOf(gaps(short)),
    unmetAboveLeast: quantilesOf(short.map((r) => (r.unmetPerSecond - r.leastUnmetPerSecond) / r.demandPerSecond)),
    proven: short.filter((r) => r.leastUnmetProven).length,
    faults: results.flatMap((r) => r.faults.map((fault) => `seed ${r.seed}: ${fault}`)),
    hosts: total((r) => r.spread.hosts),
    mostHosts: total((r) => r.spread.most),
    onOneHost: total((r) => r.spread.onOneHost),
    restless: results.filter((r) => r.movedAgain > 0).length,
    cpuMs: quantilesOf(results.map((r) => r.cpuMs))!,
    peers: PEERS.map(({ name }) => summarisePeer(name, served)),
  };
}

function summarisePeer(peer: string, served: readonly InstanceResult[]): PeerSummary {
  const savings = served.flatMap(({ usdPerHour, peersUsdPerHour: { [peer]: usd } }) => (usd == null ? [] : [1 - usdPerHour / usd]));
  const at = (share: number) => quantile(savings, share);
  return {
    ...{ peer, fails: served.length - savings.length, of: served.length },
    saving: savings.length === 0 ? null : { least: at(0), lower: at(0.25), median: at(0.5), upper: at(0.75), most: at(1) },
  };
}

function quantilesOf(values: readonly number[]): Quantiles | null {
  if (values.length === 0) return null;
  return { count: values.length, median: quantile(values, 0.5), p90: quantile(values, 0.9), worst: Math.max(...values) };
}

const MEDIAN_GAP = 0.005;
const WORST_GAP = 0.03;

export function instanceBars(summary: Summary): Bar[] {
  const { gap, unmetAboveLeast, faults, proven, restless } = summary;
  return [
    bar(
      `cost within ${percent(MEDIAN_GAP)} of the bound, median`,
      gap.median <= MEDIAN_GAP,
      `${percent(gap.median)} of ${gap.count} fleets`,
    ),
    bar(`within ${percent(WORST_GAP)}, worst`, gap.worst <= WORST_GAP, percent(gap.worst)),
    ...(unmetAboveLeast
      ? [
          bar(
            `short fleets: unmet demand within ${percent(MEDIAN_GAP)} of the least, of all demand`,
            unmetAboveLeast.worst <= MEDIAN_GAP,
            `worst ${percent(unmetAboveLeast.worst)} of ${unmetAboveLeast.count} fleets (${proven} proven)`,
          ),
        ]
      : []),
    bar('a plan of a plan moves nothing', restless === 0, `${restless} fleets in which something does`),
    bar('every plan holds', faults.length === 0, faults.length === 0 ? 'no faults' : `${faults.length} faults`),
  ];
}

const LARGEST = 1000;
const MOST_MS = 3000;
const LARGE_GAP = 0.01;
const GROWTH = 15;

export function timeBars(times: readonly FleetTime[]): Bar[] {
  const largest = times.filter((t) => t.hosts === LARGEST);
  const smallest = Math.min(...times.map((t) => t.hosts));
  const growths = largest.map((t) => t.cpuMs.median / times.find((s) => s.hosts === smallest && s.load === t.load)!.cpuMs.median);
  const slowest = Math.max(...largest.map((t) => t.cpuMs.median));
  const gap = Math.max(...largest.map((t) => t.plan.gap));
  const faults = times.flatMap((t) => t.plan.faults).length;
  return [
    bar(
      `${LARGEST} hosts of 8, 50 models: under ${MOST_MS} ms on one core`,
      slowest < MOST_MS,
      `${slowest.toFixed(0)} ms of processor time`,
    ),
    bar(`with a gap of ${percent(LARGE_GAP)} at most`, gap <= LARGE_GAP, percent(gap)),
    bar(
      `growth from ${smallest} to ${LARGEST} hosts at most ${GROWTH}x`,
      Math.max(...growths) <= GROWTH,
      `${Math.max(...growths).toFixed(1)}x`,
    ),
    bar('every plan of a large fleet holds', faults === 0, faults === 0 ? 'no faults' : `${faults} faults`),
  ];
}

export function linkBars(results: readonly SlowLinkResult[]): Bar[] {
  const wrong = results.filter((r) => !isRight(r)).length;
  const wide = results.filter((r) => r.widestTensorParallel >= 4).length;
  const figure = `${results.length} cases, in ${wide} of them 4 or more are cheapest; ${wrong} wrong`;
  return [bar('L40S over PCIe: never 4 or 8 where 2 or replicas attain it for no more', wrong === 0, figure)];
}

const WITHIN = 0.9;

export function capacityBars({ groups: [all] }: CapacityBench): Bar[] {
  return all
    ? [
        bar(
          `capacities within 15 % of simulation for ${percent(WITHIN)} of the shapes`,
          all.within >= WITHIN,
          `${percent(all.within)} of ${all.rows}`,
        ),
      ]
    : [];
}

function bar(aim: string, reached: boolean, figure: string): Bar {
  return { aim, reached, figure };
}

export function percent(share: number): string {
  return `${Number((100 * share).toFixed(2))} %`;
}
