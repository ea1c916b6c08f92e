/** From runs to the columns that uPlot draws: one of x, ascending, and one of y for each curve. */

export type Columns = [x: number[], ...y: (number | null)[][]];

/** A sample that is not finite comes as null, after all others: a request that never got there. */
export type Samples = readonly (number | null)[];

/** Share of the samples that are at most x, 0 to 1. They are sorted and stand at evenly spaced ranks, the first at 0, the last at 1. */
export function shareAtMost(samples: Samples, x: number): number {
  const after = samples.findIndex((sample) => sample === null || sample > x);
  if (after === -1) return 1;
  if (after === 0) return 0;
  const [below, above] = [samples[after - 1]!, samples[after]!];
  const between = above === null ? 0 : (x - below) / (above - below);
  return (after - 1 + between) / (samples.length - 1);
}

/** CDFs on common abscissae: all samples, and what else is to be read off. @param atLeast smaller ones are drawn here: a logarithm needs > 0 */
export function cdfColumns(curves: readonly Samples[], alsoAt: readonly number[], atLeast: number): Columns {
  const xs = new Set([...curves.flat(), ...alsoAt].filter((x) => x !== null).map((x) => Math.max(x, atLeast)));
  const sorted = [...xs].sort((a, b) => a - b);
  return [sorted, ...curves.map((samples) => sorted.map((x) => shareAtMost(samples, x)))];
}

/** Curves that are known at some x each. Later points win over earlier ones at the same x. */
export function pointColumns(curves: readonly (readonly { x: number; y: number }[])[]): Columns {
  const sorted = [...new Set(curves.flatMap((points) => points.map(({ x }) => x)))].sort((a, b) => a - b);
  const columnOf = (points: readonly { x: number; y: number }[]) => {
    const known = new Map(points.map(({ x, y }) => [x, y]));
    return sorted.map((x) => known.get(x) ?? null);
  };
  return [sorted, ...curves.map(columnOf)];
}

/** Shares of intervals as steps: the last one has an end, too. */
export function stepColumns(shares: readonly number[], interval: number): Columns {
  return [[...shares, 0].map((_, i) => i * interval), [...shares, ...shares.slice(-1)]];
}

/** Both ends moved out to one leading digit, so that a logarithmic axis begins and ends at a tick. */
export function logRange(min: number, max: number): [number, number] {
  const digit = (value: number) => 10 ** Math.floor(Math.log10(value));
  const low = Math.floor(min / digit(min)) * digit(min);
  const high = Math.ceil(max / digit(max)) * digit(max);
  return high > low ? [low, high] : [low / 2, low * 2];
}
