/** The nearest latencies at which a deployment is served in full. */
import type { SloTargets } from '../../../domain/slo-policy.ts';
import type { DeploymentDemand } from '../../types.ts';
import type { Room } from './room.ts';
import { changed, type Fits, firstThatHolds, MORE } from './search.ts';

const LATENCIES = [
  ['tpotMs', 'TPOT'],
  ['ttftMs', 'TTFT'],
  ['e2eMs', 'end to end'],
] as const;
type Latency = (typeof LATENCIES)[number][0];

/** What nothing attains even then, no latency makes attainable. */
const MOST = 10_000;
/** As near as this is near enough. */
const PRECISION = 0.01;

/** One target where that is enough, else all by the same factor. @param most multiple of a target that is looked at */
export function looserTargets(room: Room, fits: Fits, most = MOST): string | null {
  const { targets } = room.deployments[0]!;
  const named = LATENCIES.filter(([key]) => targets?.[key] !== undefined).map(([key]) => key);
  if (!targets || named.length === 0) return null;
  const alone = named.flatMap((key) => loosened(room, fits, targets, [key], most) ?? []).sort((a, b) => a.factor - b.factor);
  const [best] = alone.length > 0 || named.length === 1 ? alone : [loosened(room, fits, targets, named, most)].flatMap((all) => all ?? []);
  if (!best) return null;
  const told = LATENCIES.filter(([key]) => best.targets[key] !== targets[key]);
  return `at ${told.map(([key, name]) => `${name} ${best.targets[key]} ms`).join(', ')}`;
}

/** Every latency that is named, by a factor. */
export function withTargets(factor: number) {
  return ({ targets, ...rest }: DeploymentDemand): DeploymentDemand => ({
    ...rest,
    targets:
      targets &&
      loosenedBy(
        targets,
        LATENCIES.map(([key]) => key).filter((key) => targets[key] !== undefined),
        factor,
      ),
  });
}

function loosenedBy(targets: SloTargets, keys: readonly Latency[], factor: number): SloTargets {
  return { ...targets, ...Object.fromEntries(keys.map((key) => [key, roundedUp(targets[key]! * factor)])) };
}

interface Loosened {
  factor: number;
  targets: SloTargets;
}

/** By the least factor that does: doubling what it adds, then bisection. */
function loosened(room: Room, fits: Fits, targets: SloTargets, keys: readonly Latency[], most: number): Loosened | null {
  const at = (factor: number) => loosenedBy(targets, keys, factor);
  const does = (factor: number) => fits(changed(room, (d): DeploymentDemand => ({ ...d, targets: at(factor) }))) !== null;
  if (!does(most)) return null;
  let [low, high] = [1, 1 + PRECISION];
  while (high < most && !does(high)) [low, high] = [high, Math.min(most, 1 + 2 * (high - 1))];
  while (high - low > PRECISION * low) {
    const middle = (low + high) / 2;
    if (does(middle)) high = middle;
    else low = middle;
  }
  const factor = firstThatHolds(
    fits,
    MORE.map((share) => high * share),
    (f) => changed(room, (d) => ({ ...d, targets: at(f) })),
  );
  return factor === undefined ? null : { factor, targets: at(factor) };
}

/** To three digits: a target is told as it was tried. */
function roundedUp(ms: number): number {
  const unit = 10 ** (Math.floor(Math.log10(ms)) - 2);
  return Number((Math.ceil(ms / unit - 1e-9) * unit).toPrecision(12));
}
