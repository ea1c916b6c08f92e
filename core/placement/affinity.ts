/** Which deployments keep away from which. */
import type { DeploymentSpec } from '../domain/deployment.ts';

/** By deployment: those whose hosts it may not share, itself among them where its replicas want a host each. It is enough that one of two says so. */
export function apartOf(specs: readonly Pick<DeploymentSpec, 'name' | 'placement'>[]): Map<string, Set<string>> {
  const apart = new Map<string, Set<string>>();
  const add = (a: string, b: string) => apart.set(a, (apart.get(a) ?? new Set()).add(b));
  for (const { name, placement } of specs) {
    for (const other of placement.antiAffinity ?? []) {
      add(name, other);
      add(other, name);
    }
  }
  return apart;
}
