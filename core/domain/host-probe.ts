/** What a host's own tools say of its accelerators: the report of a probe, and which kind a name stands for. */
import { z } from 'zod';
import { type AcceleratorKind, findAcceleratorKind } from './accelerators.ts';
import { linkKindSchema } from './links.ts';

export const probeToolSchema = z.enum(['nvidia-smi', 'amd-smi', 'rocm-smi', 'hl-smi']);
export type ProbeTool = z.infer<typeof probeToolSchema>;

export const probedAcceleratorSchema = z.object({
  /** What engines are told to use. */
  index: z.number().int().nonnegative(),
  /** Id of the catalog; null for a name that it does not know. */
  kind: z.string().nullable(),
  /** As the tool prints it. */
  name: z.string(),
  vendor: z.string(),
  memoryBytes: z.number().nullable(),
});
export type ProbedAccelerator = z.infer<typeof probedAcceleratorSchema>;

export const probeProblemSchema = z.object({
  tool: probeToolSchema,
  /** The tool failed; its words were not understood; a device does not work or is split up; a name is in no catalog. */
  kind: z.enum(['failed', 'unreadable', 'unusable', 'unknown-kind']),
  message: z.string(),
});
export type ProbeProblem = z.infer<typeof probeProblemSchema>;

export const hostProbeSchema = z.object({
  /** Whole devices that work, by index. */
  accelerators: z.array(probedAcceleratorSchema),
  /** How pairs of them are linked, as far as a tool says: indexes, the lower first. */
  links: z.array(z.object({ kind: linkKindSchema, pairs: z.array(z.array(z.number().int()).length(2)) })),
  problems: z.array(probeProblemSchema),
  /** Vendors whose tool has listed its devices: what is not on the list is not there. Of other vendors the probe knows nothing. */
  listed: z.array(z.string()),
});
export type HostProbe = z.infer<typeof hostProbeSchema>;

/** Tools leave out what drivers and error correction take: T4 and A40 show 94 % of what is on their datasheets. */
const LEAST_MEMORY_SHARE = 0.9;
const MOST_MEMORY_SHARE = 1.05;

/** Words for the vendor, which not every driver puts before the name. */
const VENDOR_WORDS = /^((NVIDIA|AMD|Tesla|Instinct)\s+)+/i;

/** The kind that goes by the name which a tool prints. */
export function kindOfName(name: string): AcceleratorKind | undefined {
  return findAcceleratorKind(name) ?? findAcceleratorKind(name.replace(VENDOR_WORDS, ''));
}

/** The kind that a tool's name stands for, if the vendor and the memory are that kind's as well: names alone have meant several cards. */
export function identifyAccelerator(vendor: string, name: string, memoryBytes: number | null): AcceleratorKind | null {
  const kind = kindOfName(name);
  if (!kind || kind.vendor !== vendor || memoryBytes === null) return null;
  return hasMemoryOf(kind, memoryBytes) && memoryBytes <= kind.memoryBytes * MOST_MEMORY_SHARE ? kind : null;
}

/** Is it the memory of this kind, or more? */
export function hasMemoryOf({ memoryBytes: whole }: Pick<AcceleratorKind, 'memoryBytes'>, memoryBytes: number): boolean {
  return memoryBytes >= whole * LEAST_MEMORY_SHARE;
}
