/** Sorts by a list of keys, lowest first: the first key that differs decides, then the name in code-unit order. */
export function ranked<T>(items: readonly T[], keysOf: (item: T) => number[], nameOf: (item: T) => string): T[] {
  return items
    .map((item) => ({ item, keys: keysOf(item), name: nameOf(item) }))
    .sort((a, b) => compareKeys(a.keys, b.keys) || compareText(a.name, b.name))
    .map(({ item }) => item);
}

/** The same on every machine, unlike a locale's order. */
export function compareText(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}

function compareKeys(a: readonly number[], b: readonly number[]): number {
  const at = a.findIndex((value, i) => value !== b[i]);
  return at < 0 ? 0 : a[at]! - b[at]!;
}
