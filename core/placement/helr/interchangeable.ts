/** Devices between which it makes no difference: a search counts how many of each class it takes, not which. */
import { compareText } from '../rank.ts';
import type { HelrProblem } from './problem.ts';

export interface DeviceClass {
  /** Indexes of the problem's devices, by id. */
  members: number[];
  /** How many layer groups each of them holds; at least 1. */
  capacity: number;
  msPerLayerGroup: number;
  /** Infinity where they have no price: what has one goes first. */
  usdPerHour: number;
}

/**
 * The devices that hold anything, in classes: equal memory, speed and price, and the same links to every other device and to each other.
 * Accelerators of one kind in one host are alike; so are whole hosts of one accelerator each. The order follows the ids alone.
 */
export function deviceClasses({ layerGroups, devices, commMs }: HelrProblem): DeviceClass[] {
  const bytes = layerGroups.bytes + layerGroups.kvBytes;
  const classes: DeviceClass[] = [];
  const byId = devices.map((_, i) => i).sort((a, b) => compareText(devices[a]!.id, devices[b]!.id));
  for (const i of byId) {
    const { memoryBytes, msPerLayerGroup, usdPerHour } = devices[i]!;
    const capacity = Math.min(layerGroups.count, Math.floor(memoryBytes / bytes));
    if (capacity === 0) continue;
    const price = usdPerHour ?? Number.POSITIVE_INFINITY;
    const alike = classes.find(
      (c) =>
        c.capacity === capacity && c.msPerLayerGroup === msPerLayerGroup && c.usdPerHour === price && swappable(commMs, c.members[0]!, i),
    );
    if (alike) alike.members.push(i);
    else classes.push({ members: [i], capacity, msPerLayerGroup, usdPerHour: price });
  }
  return classes;
}

/** Being so is an equivalence: it is enough to compare with one member of a class. */
function swappable(commMs: HelrProblem['commMs'], a: number, b: number): boolean {
  if (commMs[a]![b] !== commMs[b]![a]) return false;
  return commMs.every((row, other) => other === a || other === b || (row[a] === row[b] && commMs[a]![other] === commMs[b]![other]));
}
