/** What differs between two objects, a line for each field. */

/** `~ targets.ttftMs: 500 -> 200`, `+ value.usdPerRequest: 1`, `- links[0].kind: "pcie"`, in the order of the fields. */
export function diffLines(before: unknown, after: unknown): string[] {
  const was = new Map(leaves(before, ''));
  const is = new Map(leaves(after, ''));
  const gone = [...was].filter(([path]) => !is.has(path)).map(([path, value]) => `- ${path}: ${value}`);
  const present = [...is].flatMap(([path, value]) => {
    const old = was.get(path);
    if (old === undefined) return [`+ ${path}: ${value}`];
    return old === value ? [] : [`~ ${path}: ${old} -> ${value}`];
  });
  return [...gone, ...present];
}

/** Every value that holds no others, with the path to it. */
function leaves(value: unknown, path: string): [path: string, text: string][] {
  if (typeof value !== 'object' || value === null) return value === undefined ? [] : [[path, JSON.stringify(value)]];
  const entries = Array.isArray(value)
    ? value.map((item, i) => [`${path}[${i}]`, item] as const)
    : Object.entries(value).map(([key, item]) => [path ? `${path}.${key}` : key, item] as const);
  if (entries.length === 0) return path ? [[path, JSON.stringify(value)]] : [];
  return entries.flatMap(([at, item]) => leaves(item, at));
}
