/** Which replica sits on which accelerators of a host: what the fleet map draws. */
import type { HostResource, ReplicaResource } from '../../../api/schema/index.ts';
import { bandwidth, gibibytes } from './format.ts';

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

/** What is in the memory of each accelerator that a replica holds, as shares of it; null where that is not known. */
export function memoryParts(replica: ReplicaResource, memoryBytes: number | null): { weights: number; used: number; cache: number } | null {
  const { memory } = replica.status;
  if (!memory || !memoryBytes) return null;
  const cache = (memory.kvCacheBytes ?? 0) / memoryBytes;
  const used = cache * (memory.kvUsage ?? 0);
  return { weights: memory.weightsBytes / memoryBytes, used, cache: cache - used };
}

/** `15 GiB of weights, 51.4 GiB of KV cache, 12 % of it in use, of 80 GiB` */
export function memoryText(replica: ReplicaResource, memoryBytes: number | null): string {
  const { memory } = replica.status;
  if (!memory || !memoryBytes) return 'memory not known';
  const { weightsBytes, kvCacheBytes, kvUsage } = memory;
  const cache = kvCacheBytes === null ? [] : [`${gibibytes(kvCacheBytes)} of KV cache`];
  const use = kvCacheBytes === null || kvUsage === null ? [] : [`${Math.round(kvUsage * 100)} % of it in use`];
  return [`${gibibytes(weightsBytes)} of weights`, ...cache, ...use, `of ${gibibytes(memoryBytes)}`].join(', ');
}

const LINK_NAMES = { nvlink: 'NVLink', xgmi: 'xGMI', pcie: 'PCIe', ethernet: 'Ethernet', infiniband: 'InfiniBand' };

/** How its accelerators are linked with each other and with those of other hosts: `NVLink, 450 GB/s each way`. */
export function linkTexts({ links, status }: HostResource): { accelerators: string | null; hosts: string } {
  const named = (between: 'accelerators' | 'hosts', found?: keyof typeof LINK_NAMES) => {
    const kind = links.find((link) => link.between === between)?.kind ?? found;
    return kind ? `${LINK_NAMES[kind]}, ` : '';
  };
  const own = status.links.accelerators;
  return {
    accelerators: own && `${named('accelerators', status.inventory?.links[0]?.kind)}${bandwidth(own.bandwidthBytesPerSecond)}`,
    hosts: `${named('hosts')}${bandwidth(status.links.hosts.bandwidthBytesPerSecond)}`,
  };
}

/** Is the block joined with the one before it in its row, and by what kind of link? */
export function joint({ status }: HostResource, { first }: AcceleratorBlock): 'none' | 'slow' | 'fast' {
  const own = status.links.accelerators;
  if (!own || first % MAP_COLUMNS === 0) return 'none';
  return own.slow ? 'slow' : 'fast';
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
