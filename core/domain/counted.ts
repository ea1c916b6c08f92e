/** A number with its noun, as people write it: `1 replica`, `3 replicas`. */
export function counted(n: number, one: string, many = `${one}s`): string {
  return `${n} ${n === 1 ? one : many}`;
}
