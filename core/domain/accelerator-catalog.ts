/**
 * The installation's own accelerators, from a file (YAML or JSON):
 *
 *   accelerators:
 *     - { id: H100-PCIe, aliases: [H100 PCIe], vendor: NVIDIA, memoryGib: 80, memoryBandwidthGBs: 2000, bf16Tflops: 756, usdPerHour: 2.1 }
 *     - { id: L40S, usdPerHour: 0.9 }   # a kind that is there already keeps all that is not named
 */
import { z } from 'zod';
import { ACCELERATOR_KINDS, type AcceleratorKind, MAX_USD_PER_HOUR } from './accelerators.ts';
import { type FieldIssue, UellmError } from './errors.ts';
import { GIB, GIGA } from './units.ts';
import { parseInput } from './validate.ts';

/** Least and most that make sense: outside of them somebody took the wrong unit. */
const FIGURES = {
  memoryGib: [1, 4096, 'GiB'],
  memoryBandwidthGBs: [10, 100_000, 'GB/s'],
  bf16Tflops: [1, 100_000, 'TFLOP/s, dense'],
  linkGBs: [1, 20_000, 'GB/s in each direction'],
  hostGBs: [1, 2000, 'GB/s in each direction'],
  powerWatts: [10, 20_000, 'W'],
  usdPerHour: [0, MAX_USD_PER_HOUR, 'USD for one accelerator'],
} as const;
type Figure = keyof typeof FIGURES;

/** What a kind cannot do without. */
const NEEDED = ['memoryGib', 'memoryBandwidthGBs', 'bf16Tflops'] as const;

/** Spelt as the catalog spells them: drivers ask for the vendor. */
const VENDORS = [...new Set(ACCELERATOR_KINDS.map((k) => k.vendor))];

const nameSchema = z.string().trim().min(1).max(100);
const entrySchema = z.strictObject({
  id: z.string().regex(/^[A-Za-z0-9][A-Za-z0-9._-]{0,62}$/, 'a name of 1 to 63 letters, digits, dots, dashes or underscores'),
  /** Names for it elsewhere: what its vendor's tool calls it among them. */
  aliases: z.array(nameSchema).max(50).default([]),
  vendor: nameSchema.transform((name) => VENDORS.find((v) => v.toLowerCase() === name.toLowerCase()) ?? name).optional(),
  memoryGib: figure('memoryGib'),
  memoryBandwidthGBs: figure('memoryBandwidthGBs'),
  bf16Tflops: figure('bf16Tflops'),
  linkGBs: figure('linkGBs'),
  hostGBs: figure('hostGBs'),
  powerWatts: figure('powerWatts'),
  usdPerHour: figure('usdPerHour'),
});
type Entry = z.output<typeof entrySchema>;

const fileSchema = z.strictObject({ accelerators: z.array(entrySchema).max(1000) });

/**
 * The kinds of a file, for `extendCatalog`.
 * @param document what the file holds @param file its name, for errors
 * @throws invalid-input that names every field that is wrong, and what it may hold
 */
export function parseAccelerators(document: unknown, file: string): AcceleratorKind[] {
  const entries = parseInput(fileSchema, document, file).accelerators;
  const issues = entries.flatMap((entry, index) => issuesOf(entry, index, entries));
  if (issues.length > 0) throw new UellmError({ kind: 'invalid-input', what: file, issues });
  return entries.map((entry) => toKind(entry, file));
}

function issuesOf(entry: Entry, index: number, entries: readonly Entry[]): FieldIssue[] {
  const at = `accelerators[${index}]`;
  const issues: FieldIssue[] = [];
  const refuse = (field: string, given: unknown, allowed: string) =>
    issues.push({ field: `${at}.${field}`, given: given === undefined ? 'nothing' : JSON.stringify(given), allowed });
  if (!builtIn(entry)) {
    for (const name of NEEDED) if (entry[name] === undefined) refuse(name, undefined, allowed(name));
    if (entry.vendor === undefined) refuse('vendor', undefined, `its maker: ${VENDORS.join(', ')} or another`);
  }
  if (entries.findIndex((e) => isSame(e.id, entry.id)) < index) refuse('id', entry.id, 'each id once');
  // Built-in kinds of the same id are this very kind, and their names are its own.
  const others = [...ACCELERATOR_KINDS, ...entries].filter((other) => !isSame(other.id, entry.id));
  const holderOf = (name: string) => others.find((other) => [other.id, ...other.aliases].some((n) => isSame(n, name)));
  const taken = (holder: { id: string }) => `a name that no other kind has: ${holder.id} has this one`;
  const holder = holderOf(entry.id);
  if (holder) refuse('id', entry.id, taken(holder));
  for (const [i, alias] of entry.aliases.entries()) {
    const other = holderOf(alias);
    if (other) refuse(`aliases[${i}]`, alias, taken(other));
  }
  return issues;
}

/** Of an entry without issues: what it does not say, the kind that is there already does. */
function toKind(entry: Entry, file: string): AcceleratorKind {
  const base = builtIn(entry);
  const times = (figure: number | undefined, unit: number) => (figure === undefined ? undefined : figure * unit);
  return {
    id: base?.id ?? entry.id,
    aliases: [...(base?.aliases ?? []), ...entry.aliases],
    vendor: entry.vendor ?? base!.vendor,
    memoryBytes: times(entry.memoryGib, GIB) ?? base!.memoryBytes,
    memoryBandwidthBytesPerSecond: times(entry.memoryBandwidthGBs, GIGA) ?? base!.memoryBandwidthBytesPerSecond,
    bf16FlopsPerSecond: times(entry.bf16Tflops, 1e12) ?? base!.bf16FlopsPerSecond,
    linkBandwidthBytesPerSecond: times(entry.linkGBs, GIGA) ?? base?.linkBandwidthBytesPerSecond ?? null,
    hostBandwidthBytesPerSecond: times(entry.hostGBs, GIGA) ?? base?.hostBandwidthBytesPerSecond ?? null,
    powerWatts: entry.powerWatts ?? base?.powerWatts ?? null,
    usdPerHour: entry.usdPerHour ?? base?.usdPerHour ?? null,
    priceSource: entry.usdPerHour === undefined ? (base?.priceSource ?? null) : file,
  };
}

function builtIn({ id }: Pick<Entry, 'id'>): AcceleratorKind | undefined {
  return ACCELERATOR_KINDS.find((k) => isSame(k.id, id));
}

const isSame = (a: string, b: string) => a.toLowerCase() === b.toLowerCase();

function figure(name: Figure) {
  const [least, most] = FIGURES[name];
  return z.custom<number>((value) => typeof value === 'number' && value >= least && value <= most, allowed(name)).optional();
}

function allowed(name: Figure): string {
  const [least, most, unit] = FIGURES[name];
  return `a number from ${least} to ${most} (${unit})`;
}
