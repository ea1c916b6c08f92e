/** What was declared of a host's accelerators beside what its probe found. */
import { findAcceleratorKind } from './accelerators.ts';
import { expandAccelerators, groupAccelerators, type HostSpec } from './fleet.ts';
import { type HostProbe, hasMemoryOf, type ProbedAccelerator } from './host-probe.ts';
import type { LinkSpec } from './links.ts';

export interface Inventory {
  /** Indexes of declared accelerators that are not there, or are something else: nothing is placed on them. */
  absent: number[];
  /** `declared 8 H100-SXM, found 7; nothing is placed on accelerator 7`; null where nothing differs or nothing is known. */
  difference: string | null;
  /** As declared; where nothing was and the catalog would expect fast ones that are not there, as found. */
  links: LinkSpec[];
}

/** Simulated and external hosts have no accelerators of ours to find: what is declared counts. */
export function compareInventory(spec: HostSpec, probe: HostProbe | null): Inventory {
  if (!probe || spec.simulated || spec.external) return { absent: [], difference: null, links: spec.links };
  const declared = expandAccelerators(spec.accelerators);
  const vendors = new Set(declared.map(vendorOf));
  // A display adapter of another vendor, unknown to the catalog, is nobody's declared accelerator.
  const found = probe.accelerators.filter((a) => a.kind !== null || vendors.has(a.vendor)).sort((a, b) => a.index - b.index);
  const byIndex = new Map(found.map((a) => [a.index, a]));
  const absent = declared.flatMap((kind, index) => (isAbsent(kind, byIndex.get(index), probe) ? [index] : []));
  const isKnown = found.length > 0 || probe.listed.some((vendor) => vendors.has(vendor));
  return { absent, difference: isKnown ? describeDifference(declared, found, absent) : null, links: linksOf(spec, probe) };
}

function isAbsent(kind: string, found: ProbedAccelerator | undefined, { listed }: HostProbe): boolean {
  if (!found) return listed.includes(vendorOf(kind) ?? '');
  if (found.kind !== null) return found.kind !== kind;
  // A name that the catalog does not know may be what was declared, but not with less memory.
  const expected = findAcceleratorKind(kind);
  return expected !== undefined && found.memoryBytes !== null && !hasMemoryOf(expected, found.memoryBytes);
}

function describeDifference(declared: readonly string[], found: readonly ProbedAccelerator[], absent: readonly number[]): string | null {
  const wanted = counted(declared);
  const present = counted(found.map((a) => a.kind ?? JSON.stringify(a.name)));
  if (absent.length === 0 && wanted === present) return null;
  const [kind] = declared;
  const onlyNumber = [...declared, ...found.map((a) => a.kind)].every((k) => k === kind);
  const seen = found.length === 0 ? 'none' : onlyNumber ? String(found.length) : present;
  const told = `declared ${wanted}, found ${seen}`;
  if (absent.length === 0) return told;
  return `${told}; nothing is placed on accelerator${absent.length > 1 ? 's' : ''} ${absent.join(', ')}`;
}

/** In index order, likes together: `4 H100-SXM, 2 L40S`. */
function counted(kinds: readonly string[]): string {
  return groupAccelerators(kinds)
    .map(({ kind, count }) => `${count} ${kind}`)
    .join(', ');
}

/** Where tools see PCIe between all pairs, no kind has its fast links. Of fast ones the catalog knows more than their name. */
function linksOf({ links }: HostSpec, { links: found }: HostProbe): LinkSpec[] {
  if (links.some((l) => l.between === 'accelerators') || found.length === 0 || found.some((l) => l.kind !== 'pcie')) return links;
  return [...links, { between: 'accelerators', kind: 'pcie' }];
}

const vendorOf = (kind: string) => findAcceleratorKind(kind)?.vendor;
