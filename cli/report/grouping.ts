/** Which runs make a line, and which are compared with one another. */

import { groupBy } from '../../core/domain/group-by.ts';
import type { Run } from '../../core/simulator/run.ts';
import { percent } from '../output/figures.ts';

/** Runs that differ in their rate only: a line in a chart, with its colour, dash and marker throughout the page. */
export interface Line {
  label: string;
  /** Indices into the runs. */
  runs: number[];
  /** Its other points, which have no run of their own in the page. */
  visited: { rateScale: number; attainment: number }[];
}

/** Runs of all lines that are compared: those at one rate, or the fastest that attained so much. */
export interface Group {
  label: string;
  /** Indices into the runs. */
  runs: number[];
  searched: boolean;
}

/** `1.5×`; rates that a search or a sum made odd are rounded. */
export function rateText(rateScale: number): string {
  return `${Number(rateScale.toPrecision(4))}×`;
}

/**
 * Lines in the order in which they first come, those of `visited` alone behind the others. Predictor and seed are named where there are
 * several.
 */
export function linesOf(runs: readonly Run[], visited: readonly Run[] = []): Line[] {
  const all = [...runs, ...visited];
  const several = (of: (run: Run) => unknown) => new Set(all.map(of)).size > 1;
  const [predictors, seeds] = [several(({ predictor }) => predictor), several(({ seed }) => seed)];
  const keyOf = ({ policy, predictor, seed }: Run) => JSON.stringify([policy, predictor, seed]);
  return [...groupBy(all.keys(), (i) => keyOf(all[i]!))].map(([key, indices]) => {
    const { policy, predictor, seed } = all[indices[0]!]!;
    return {
      label: [policy, ...(predictors ? [predictor] : []), ...(seeds ? [`seed ${seed}`] : [])].join(', '),
      runs: indices.filter((i) => i < runs.length),
      visited: visited.filter((run) => keyOf(run) === key).map(({ rateScale, attainment }) => ({ rateScale, attainment })),
    };
  });
}

/** Slowest rate first, then what was searched for. */
export function groupsOf(runs: readonly Run[]): Group[] {
  const order = [...runs.keys()].sort((a, b) => rank(runs[a]!) - rank(runs[b]!) || runs[a]!.rateScale - runs[b]!.rateScale);
  return [...groupBy(order, (i) => groupLabel(runs[i]!))].map(([label, indices]) => ({
    label,
    runs: indices,
    searched: runs[indices[0]!]!.searchedAttainment !== undefined,
  }));
}

const rank = ({ searchedAttainment }: Run) => searchedAttainment ?? -1;

function groupLabel({ rateScale, searchedAttainment }: Run): string {
  if (searchedAttainment === undefined) return rateText(rateScale);
  return `fastest found with ${percent(searchedAttainment)} attainment`;
}
