/** Which devices a search takes into account: all of them, unless too many are different. */
import type { DeviceClass } from './interchangeable.ts';

/** Cells of the table of paths: 16 devices that all differ, or eight in each of five hosts. About 0.1 s. */
export const MAX_CELLS = 2 ** 20;

/** Sets of devices times the class that ends the path. */
export function cellsOf(classes: readonly DeviceClass[]): number {
  return classes.reduce((sets, c) => sets * (c.members.length + 1), 1) * classes.length;
}

/**
 * All classes, where the table stays within its limit. Otherwise devices are taken one by one until it would not: the fastest first,
 * or where those do not hold the model, the largest first; and of no class more than hold the model by themselves.
 */
export function searchedClasses(classes: readonly DeviceClass[], layerGroups: number): { classes: readonly DeviceClass[]; exact: boolean } {
  if (cellsOf(classes) <= MAX_CELLS) return { classes, exact: true };
  const fastest = taken(
    [...classes].sort((a, b) => a.msPerLayerGroup - b.msPerLayerGroup || b.capacity - a.capacity),
    layerGroups,
  );
  if (capacityOf(fastest) >= layerGroups) return { classes: fastest, exact: false };
  const largest = [...classes].sort((a, b) => b.capacity - a.capacity || a.msPerLayerGroup - b.msPerLayerGroup);
  return { classes: taken(largest, layerGroups), exact: false };
}

export function capacityOf(classes: readonly DeviceClass[]): number {
  return classes.reduce((sum, c) => sum + c.members.length * c.capacity, 0);
}

function taken(ordered: readonly DeviceClass[], layerGroups: number): DeviceClass[] {
  const some: DeviceClass[] = [];
  for (const each of ordered) {
    const useful = Math.min(each.members.length, Math.ceil(layerGroups / each.capacity));
    for (let count = useful; count > 0; count--) {
      const fewer = { ...each, members: each.members.slice(0, count) };
      if (cellsOf([...some, fewer]) > MAX_CELLS) continue;
      some.push(fewer);
      break;
    }
  }
  return some;
}
