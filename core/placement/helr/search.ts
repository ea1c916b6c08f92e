/**
 * Exact dynamic programming over placements of layer groups on devices, common to HELR, HE and LR. The recursion, after the paper:
 *
 *   dp[S][j][k] = least latency with the first k groups on the devices S, of which j comes last
 *   dp[S+j'][j'][k+m] = min over j, m of dp[S][j][k] + commMs(j, j') + m msPerLayerGroup(j'),  m (bytes + kvBytes) <= memory(j')
 *
 * Layer groups are alike, so that how many a device holds does not depend on its place in the order, and the table comes apart into
 *
 *   dp[S][j][k] = path[S][j] + fill[S][k]
 *
 * path (`path-table.ts`) is the shortest way through all devices of S that ends at j, and is what takes time; fill gives every device of
 * S one group and the others to the fastest that have room. S counts how many devices of each class of interchangeable ones are taken.
 */
import { type DeviceClass, deviceClasses } from './interchangeable.ts';
import { createPathTable } from './path-table.ts';
import { type HelrOutcome, type HelrProblem, type HelrStage, parseProblem } from './problem.ts';
import { capacityOf, searchedClasses } from './searched.ts';

/** What a set of devices comes to at best. */
export interface Figures {
  latencyMs: number;
  accelerators: number;
  /** Infinity where some of them has no price. */
  usdPerHour: number;
}

/** Below 0 where `a` is better. The difference of two prices that are unknown is NaN, which decides nothing: `||` goes on. */
export type Preference = (a: Figures, b: Figures) => number;

/** The placement that a preference puts first. Ties go to the ids that sort first. @throws invalid-input */
export function bestPlacement(given: HelrProblem, preference: Preference): HelrOutcome {
  const problem = parseProblem(given);
  const { count, bytes, kvBytes } = problem.layerGroups;
  const all = deviceClasses(problem);
  if (capacityOf(all) < count) return { kind: 'infeasible', on: 'memory', shortBytes: (count - capacityOf(all)) * (bytes + kvBytes) };
  const { classes, exact } = searchedClasses(all, count);
  if (capacityOf(classes) < count) {
    return { kind: 'infeasible', on: 'search', searchedDevices: classes.reduce((sum, c) => sum + c.members.length, 0) };
  }

  const table = createPathTable(classes, problem.commMs, count);
  const fastestFirst = [...classes.keys()].sort((a, b) => classes[a]!.msPerLayerGroup - classes[b]!.msPerLayerGroup);
  const figures: Figures = { latencyMs: 0, accelerators: 0, usdPerHour: 0 };
  let best: { set: number; figures: Figures } | undefined;
  table.forEachSet((set, counts, pathMs) => {
    if (!measure(figures, counts, classes, fastestFirst, count)) return;
    figures.latencyMs += pathMs;
    if (best === undefined || preference(figures, best.figures) < 0) best = { set, figures: { ...figures } };
  });
  // Some set holds the model: the largest devices, taken until they do.
  const { set, figures: of } = best!;
  return {
    kind: 'placed',
    stages: stagesOf(problem, classes, table.pathOf(set)),
    latencyMs: of.latencyMs,
    usdPerHour: of.usdPerHour < Number.POSITIVE_INFINITY ? of.usdPerHour : null,
    exact,
  };
}

/** Sets `figures` to those of a set of no more devices than groups, its path apart; false where the set does not hold the model. */
function measure(
  figures: Figures,
  counts: readonly number[],
  classes: readonly DeviceClass[],
  fastestFirst: readonly number[],
  layerGroups: number,
): boolean {
  let accelerators = 0;
  let usdPerHour = 0;
  for (let c = 0; c < counts.length; c++) {
    if (counts[c] === 0) continue;
    accelerators += counts[c]!;
    usdPerHour += counts[c]! * classes[c]!.usdPerHour;
  }
  let rest = layerGroups - accelerators;
  let fillMs = 0;
  for (const c of fastestFirst) {
    const { capacity, msPerLayerGroup } = classes[c]!;
    const more = Math.min(rest, counts[c]! * (capacity - 1));
    fillMs += (counts[c]! + more) * msPerLayerGroup;
    rest -= more;
  }
  figures.latencyMs = fillMs;
  figures.accelerators = accelerators;
  figures.usdPerHour = usdPerHour;
  return rest === 0;
}

/** The same latency as `measure` found; among equally fast devices groups are spread evenly, which leaves each the most KV cache. */
function stagesOf({ devices, layerGroups }: HelrProblem, classes: readonly DeviceClass[], path: readonly number[]): HelrStage[] {
  const used = classes.map(() => 0);
  const stages = path.map((c) => ({ of: classes[c]!, device: devices[classes[c]!.members[used[c]!++]!]!.id, layerGroups: 1 }));
  for (let rest = layerGroups.count - stages.length; rest > 0; rest--) {
    const next = stages
      .filter((s) => s.layerGroups < s.of.capacity)
      .reduce((a, b) => ((b.of.msPerLayerGroup - a.of.msPerLayerGroup || b.layerGroups - a.layerGroups) < 0 ? b : a));
    next.layerGroups++;
  }
  return stages.map(({ device, layerGroups }) => ({ device, layerGroups }));
}
