/** Which replica sits on which accelerators of a host: what the fleet map draws. */
import type { HostResource, ReplicaResource } from '../../../api/schema/index.ts';

/** Accelerators side by side that one replica holds, or one free accelerator. */
export interface AcceleratorBlock {
  kind: string;
  /** Index of the first. */
  first: number;
  count: number;
  replica: ReplicaResource | null;
}

/** Accelerators side by side on the map; a replica that holds more is drawn over several rows. */
export const MAP_COLUMNS = 4;

/** The accelerators of a host in index order, in blocks that end with the row. */
export function blocksOf(host: HostResource, replicas: readonly ReplicaResource[]): AcceleratorBlock[] {
  const holders = new Map(replicas.filter((r) => r.host === host.name).flatMap((r) => r.accelerators.map((index) => [index, r] as const)));
  const kinds = host.accelerators.flatMap((group) => Array.from({ length: group.count }, () => group.kind));
  const blocks: AcceleratorBlock[] = [];
  for (const [index, kind] of kinds.entries()) {
    const replica = holders.get(index) ?? null;
    const before = blocks.at(-1);
    const rowBegins = index % MAP_COLUMNS === 0;
    if (before && replica && !rowBegins && before.replica === replica) before.count++;
    else blocks.push({ kind, first: index, count: 1, replica });
  }
  return blocks;
}

/** `4 × H100-SXM`, kinds in order. */
export function describeAccelerators(host: HostResource): string {
  if (host.external) return 'external: routed and measured, never started or stopped';
  return host.accelerators.map((group) => `${group.count} × ${group.kind}`).join(', ');
}

/** Why a host is in its state, how what it finds in itself differs from what was declared, and what its tools complain of. */
export function notesOf({ status: { reason, inventory } }: HostResource): string[] {
  const problems = (inventory?.problems ?? []).map(({ tool, message }) => `${tool}: ${message}`);
  return [reason, inventory?.difference ?? '', ...problems].filter(Boolean);
}

export const SERIES = 8;

/** A colour for each deployment, the same everywhere on the page: by its place in the order of names. */
export function seriesOf(deployments: readonly string[]): (deployment: string) => number {
  const order = [...new Set(deployments)].sort();
  return (deployment) => Math.max(0, order.indexOf(deployment)) % SERIES;
}
