/**
 * The catalog of accelerators. Figures are vendors' specifications; those of cards nobody published measurements for are unverified.
 * Sources: aiconfigurator system files (H100, H200, A100-80, L40S, L4, B200, RTX PRO 6000), LLM-Viewer (V100, A40, A6000, A100-40),
 * Oracle's and AMD's pages (MI300X), vendors' datasheets for the rest. Prices: SkyPilot's and gpuhunt's public catalogs.
 */
import { z } from 'zod';
import { UellmError } from './errors.ts';
import { GIB, GIGA } from './units.ts';

export interface AcceleratorKind {
  id: string;
  /** Names that other sources use for the same card; those that its vendor's tool prints among them, without the words for the vendor. */
  aliases: readonly string[];
  vendor: string;
  memoryBytes: number;
  memoryBandwidthBytesPerSecond: number;
  /** Dense bf16 throughput. */
  bf16FlopsPerSecond: number;
  /** Between accelerators of one host, each direction; null where unknown. */
  linkBandwidthBytesPerSecond: number | null;
  /** Between an accelerator and its host, each direction; null where unknown. */
  hostBandwidthBytesPerSecond: number | null;
  powerWatts: number | null;
  /** Rental price of one accelerator; null where the catalog has none. */
  usdPerHour: number | null;
  priceSource: string | null;
}

/** Beyond it somebody has mistyped, and sums of money lose their cents. */
export const MAX_USD_PER_HOUR = 1000;

/** What comes with uellm; `acceleratorKinds()` has those of the installation's own file as well. */
export const ACCELERATOR_KINDS: readonly AcceleratorKind[] = [
  // id, aliases, vendor, memory GiB, memory GB/s, bf16 TFLOP/s, link GB/s, host GB/s, watts, usd/h, source of the price
  kind('T4', [], 'NVIDIA', 16, 320, 65, 16, 16, 70, null),
  kind('V100-16', ['v100', 'V100-SXM2-16GB'], 'NVIDIA', 16, 900, 112, 150, 16, 300, 0.55, 'SkyPilot catalog v7 lambda gpu_8x_v100 4.40/8'),
  kind('A10G', [], 'NVIDIA', 24, 600, 125, 32, 32, 150, null),
  kind('L4', [], 'NVIDIA', 24, 300, 121, 32, 32, 72, null),
  kind('A40', [], 'NVIDIA', 48, 696, 149.7, 32, 32, 300, null),
  kind('A6000', ['rtx_a6000', 'RTX A6000'], 'NVIDIA', 48, 768, 154.8, 32, 32, 300, 0.8, 'SkyPilot catalog v7 lambda'),
  kind('L40S', [], 'NVIDIA', 45, 864, 362, 32, 32, 350, 1.55, 'SkyPilot catalog v7 nebius gpu-l40s-a_1gpu-8vcpu-32gb'),
  kind('RTX4090', ['GeForce RTX 4090'], 'NVIDIA', 24, 1008, 165, 32, 32, 450, null),
  kind('RTXPRO6000-SE', ['rtx_pro_6000_server', 'RTX PRO 6000 Blackwell Server Edition'], 'NVIDIA', 96, 1792, 467.8, 64, 64, 600, null),
  kind(
    'A100-40G-SXM',
    ['a100-40', 'a100-40g', 'A100-SXM4-40GB', 'A100-SXM-40GB'],
    'NVIDIA',
    40,
    1555,
    312,
    300,
    32,
    400,
    1.29,
    'SkyPilot catalog v7 lambda gpu_8x_a100 10.32/8',
  ),
  kind(
    'A100-80G-SXM',
    ['a100_sxm', 'a100-80', 'a100-80g', 'A100-SXM4-80GB', 'A100-SXM-80GB'],
    'NVIDIA',
    80,
    2039,
    312,
    300,
    32,
    400,
    1.89,
    'SkyPilot catalog v7 runpod A100-80GB-SXM',
  ),
  kind('H100-SXM', ['h100_sxm', 'h100', 'H100 80GB HBM3'], 'NVIDIA', 80, 3350, 989, 450, 64, 700, 2.95, 'SkyPilot catalog v7 nebius'),
  kind('H200-SXM', ['h200_sxm', 'h200'], 'NVIDIA', 141, 4800, 989, 450, 64, 700, 3.5, 'SkyPilot catalog v7 nebius'),
  kind('B200-SXM', ['b200_sxm', 'b200'], 'NVIDIA', 180, 7700, 2250, 900, 128, 1000, 5.5, 'SkyPilot catalog v7 nebius 8x 44.00/8'),
  kind('MI300X', ['MI300X OAM', 'MI300X-O', 'MI300X VF'], 'AMD', 192, 5300, 1307, 448, 64, 750, null),
  kind('Gaudi2', ['HL-225'], 'Intel', 96, 2450, 432, 262, 32, 600, null),
  kind('Gaudi3', ['HL-325', 'HL-325L'], 'Intel', 128, 3700, 1835, 525, 64, 900, null),
  kind('TPU-v5e', ['tpu_v5e'], 'Google', 16, 819, 197, null, null, null, 1.2, 'gpuhunt tpu_pricing.json us-central1'),
  kind('TPU-v6e', ['tpu_v6e'], 'Google', 32, 1640, 918, null, null, null, 2.7, 'gpuhunt tpu_pricing.json us-east1'),
];

let kinds = ACCELERATOR_KINDS;
let byName = indexByName(kinds);

/**
 * Adds kinds to the catalog; one with the id of another takes its place. Set-up of a whole process: composition roots call it before
 * anything else, with what `parseAccelerators` made of the installation's file. The last call counts whole: calling it again with the same
 * changes nothing, and with none leaves what comes with uellm. A worker thread has a catalog of its own: give it `acceleratorKinds()`.
 */
export function extendCatalog(added: readonly AcceleratorKind[]): void {
  const known = new Map([...ACCELERATOR_KINDS, ...added].map((k) => [k.id, k]));
  kinds = [...known.values()];
  byName = indexByName(kinds);
}

/** Every kind of the catalog, those that come with uellm first. */
export function acceleratorKinds(): readonly AcceleratorKind[] {
  return kinds;
}

/** USD an hour of one accelerator, by id; kinds without a price are not in it. */
export function catalogPrices(): Record<string, number> {
  return Object.fromEntries(kinds.flatMap((k) => (k.usdPerHour === null ? [] : [[k.id, k.usdPerHour]])));
}

/** The kind by id or alias, in whatever case, or undefined. */
export function findAcceleratorKind(name: string): AcceleratorKind | undefined {
  return byName.get(name.toLowerCase());
}

/** The kind by id or alias. @throws not-found */
export function acceleratorKind(name: string): AcceleratorKind {
  const found = findAcceleratorKind(name);
  if (!found) throw new UellmError({ kind: 'not-found', what: 'accelerator kind', name });
  return found;
}

/** Takes an id or an alias, gives the id. */
export const acceleratorKindSchema = z.string().transform((name, ctx) => {
  const found = findAcceleratorKind(name);
  if (found) return found.id;
  ctx.addIssue({ code: 'custom', message: `one of ${kinds.map((k) => k.id).join(', ')}` });
  return z.NEVER;
});

function indexByName(of: readonly AcceleratorKind[]): ReadonlyMap<string, AcceleratorKind> {
  return new Map(of.flatMap((k) => [k.id, ...k.aliases].map((name) => [name.toLowerCase(), k])));
}

function kind(
  id: string,
  aliases: string[],
  vendor: string,
  memoryGib: number,
  memoryGbs: number,
  tflops: number,
  linkGbs: number | null,
  hostGbs: number | null,
  powerWatts: number | null,
  usdPerHour: number | null,
  priceSource: string | null = null,
): AcceleratorKind {
  return {
    id,
    aliases,
    vendor,
    memoryBytes: memoryGib * GIB,
    memoryBandwidthBytesPerSecond: memoryGbs * GIGA,
    bf16FlopsPerSecond: tflops * 1e12,
    linkBandwidthBytesPerSecond: linkGbs === null ? null : linkGbs * GIGA,
    hostBandwidthBytesPerSecond: hostGbs === null ? null : hostGbs * GIGA,
    powerWatts,
    usdPerHour,
    priceSource,
  };
}
