/** AMD's list of devices: `amd-smi static --asic --vram --json`. It ends with success even where it only tells of an error. */
import { z } from 'zod';
import { jsonIn, type MemoryUse, MIB, type Reading } from './reading.ts';

export const AMD_QUERY = ['static', '--asic', '--vram', '--json'] as const;

const UNITS: Record<string, number> = { B: 1, KB: 1024, MB: MIB, GB: 1024 * MIB };

const gpuSchema = z.object({
  gpu: z.number().int().nonnegative(),
  asic: z.object({ market_name: z.string() }),
  /** Its megabytes are mebibytes; `N/A` on the parts of a device but the first. */
  vram: z.object({ size: z.unknown() }).optional(),
});
/** A bare list until ROCm 6, wrapped from ROCm 7 on. */
const outputSchema = z.union([z.array(gpuSchema), z.object({ gpu_data: z.array(gpuSchema) }).transform((o) => o.gpu_data)]);

export function parseAmdSmi(text: string): Reading {
  const { success, data } = outputSchema.safeParse(jsonIn(text));
  if (!success) return { devices: [], problems: [], listed: false };
  const devices = data.map(({ gpu, asic, vram }) => ({ index: gpu, name: asic.market_name.trim(), memoryBytes: bytesOf(vram?.size) }));
  return { devices, problems: [], listed: true };
}

function bytesOf(size: unknown): number | null {
  const { value, unit } = (size ?? {}) as { value?: unknown; unit?: unknown };
  const factor = UNITS[String(unit)];
  return typeof value === 'number' && factor !== undefined ? value * factor : null;
}

export const AMD_MEMORY_QUERY = ['metric', '--mem-usage', '--json'] as const;

const usageSchema = z.object({
  gpu: z.number().int().nonnegative(),
  mem_usage: z.object({ total_vram: z.unknown(), used_vram: z.unknown() }),
});
const usagesSchema = z.union([z.array(usageSchema), z.object({ gpu_data: z.array(usageSchema) }).transform((o) => o.gpu_data)]);

export function parseAmdMemory(text: string): MemoryUse[] {
  const { data = [] } = usagesSchema.safeParse(jsonIn(text));
  return data.flatMap(({ gpu, mem_usage }) => {
    const [totalBytes, usedBytes] = [bytesOf(mem_usage.total_vram), bytesOf(mem_usage.used_vram)];
    return totalBytes === null || usedBytes === null ? [] : [{ index: gpu, totalBytes, usedBytes, holders: [] }];
  });
}
