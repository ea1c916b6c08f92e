/** Shortest ways through sets of devices: the part of HELR's dynamic programming that takes time. */
import type { DeviceClass } from './interchangeable.ts';
import type { HelrProblem } from './problem.ts';

export interface PathTable {
  /** Every set that a pipeline of `layerGroups` stages at most can use. `counts` is valid during the call only. */
  forEachSet(visit: (set: number, counts: readonly number[], pathMs: number) => void): void;
  /** Classes of the devices along the shortest path through a set. */
  pathOf(set: number): number[];
}

/** Sets are numbers in mixed radix: the digit of a class says how many of it are taken. */
export function createPathTable(classes: readonly DeviceClass[], commMs: HelrProblem['commMs'], layerGroups: number): PathTable {
  const n = classes.length;
  const strides = classes.map((_, c) => classes.slice(0, c).reduce((product, { members }) => product * (members.length + 1), 1));
  const sets = strides[n - 1]! * (classes[n - 1]!.members.length + 1);
  /** `between[to * n + from]`; a class of one has no way to itself and never looks for it. */
  const between = new Float64Array(n * n);
  for (let to = 0; to < n; to++) {
    for (let from = 0; from < n; from++) {
      const a = classes[from]!.members[0]!;
      const b = classes[to]!.members[from === to ? 1 : 0] ?? a;
      between[to * n + from] = commMs[a]![b]!;
    }
  }
  const path = new Float64Array(sets * n).fill(Number.POSITIVE_INFINITY);

  const forEachCount = (visit: (set: number, counts: readonly number[]) => void) => {
    const counts = new Array<number>(n).fill(0);
    let devices = 0;
    for (let set = 1; set < sets; set++) {
      let digit = 0;
      while (counts[digit] === classes[digit]!.members.length) {
        devices -= counts[digit]!;
        counts[digit++] = 0;
      }
      counts[digit]!++;
      devices++;
      if (devices <= layerGroups) visit(set, counts);
    }
  };

  const shortestTo = (set: number, last: number): number => {
    const before = set - strides[last]!;
    if (before === 0) return 0;
    let least = Number.POSITIVE_INFINITY;
    for (let from = 0; from < n; from++) {
      const ms = path[before * n + from]! + between[last * n + from]!;
      if (ms < least) least = ms;
    }
    return least;
  };

  forEachCount((set, counts) => {
    for (let last = 0; last < n; last++) if (counts[last]! > 0) path[set * n + last] = shortestTo(set, last);
  });

  const lastOf = (set: number): number => {
    let last = 0;
    for (let c = 1; c < n; c++) if (path[set * n + c]! <= path[set * n + last]!) last = c;
    return last;
  };

  return {
    forEachSet: (visit) => forEachCount((set, counts) => visit(set, counts, path[set * n + lastOf(set)]!)),
    pathOf: (set) => {
      const reversed = [lastOf(set)];
      for (let at = set; ; ) {
        const last = reversed.at(-1)!;
        const ms = path[at * n + last]!;
        at -= strides[last]!;
        if (at === 0) return reversed.reverse();
        reversed.push(classes.findLastIndex((_, from) => path[at * n + from]! + between[last * n + from]! === ms));
      }
    },
  };
}
