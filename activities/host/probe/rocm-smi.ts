/** The older of AMD's tools, and the one that tells of links. It ends with success whatever happens. */
import { z } from 'zod';
import { jsonIn, type LinkPair, type MemoryUse, type Reading } from './reading.ts';

export const ROCM_QUERY = ['--showproductname', '--showmeminfo', 'vram', '--json'] as const;
export const ROCM_TOPOLOGY_QUERY = ['--showtopo', '--json'] as const;

const outputSchema = z.record(z.string(), z.record(z.string(), z.unknown()));

/** Spelt one way or the other by release; some have only a number there. */
const NAMES = ['Card Series', 'Card series', 'Device Name'];

export function parseRocmSmi(text: string): Reading {
  const { data = {} } = outputSchema.safeParse(jsonIn(text));
  const devices = Object.entries(data).flatMap(([key, card]) => {
    const [, index] = /^card(\d+)$/.exec(key) ?? [];
    if (index === undefined) return [];
    const memory = Number(card['VRAM Total Memory (B)']);
    return [{ index: Number(index), name: nameOf(card), memoryBytes: memory > 0 ? memory : null }];
  });
  return { devices, problems: [], listed: devices.length > 0 };
}

export function parseRocmMemory(text: string): MemoryUse[] {
  const { data = {} } = outputSchema.safeParse(jsonIn(text));
  return Object.entries(data).flatMap(([key, card]) => {
    const [, index] = /^card(\d+)$/.exec(key) ?? [];
    const [totalBytes, usedBytes] = [Number(card['VRAM Total Memory (B)']), Number(card['VRAM Total Used Memory (B)'])];
    if (index === undefined || !(totalBytes > 0) || Number.isNaN(usedBytes)) return [];
    return [{ index: Number(index), totalBytes, usedBytes, holders: [] }];
  });
}

/** Each pair is told of once, whichever comes first. */
export function parseRocmTopology(text: string): LinkPair[] {
  const { data = {} } = outputSchema.safeParse(jsonIn(text));
  return Object.entries(data.system ?? {}).flatMap(([key, type]): LinkPair[] => {
    const [, a, b] = /Link type between DRM devices (\d+) and (\d+)/.exec(key) ?? [];
    const kind = type === 'XGMI' ? 'xgmi' : type === 'PCIE' ? 'pcie' : null;
    if (kind === null || a === b) return [];
    return [{ kind, pair: [Math.min(Number(a), Number(b)), Math.max(Number(a), Number(b))] }];
  });
}

function nameOf(card: Record<string, unknown>): string {
  const given = NAMES.map((name) => card[name]).filter((name) => typeof name === 'string');
  return (given.find((name) => !/^(N\/A|0x[0-9a-f]+)$/i.test(name)) ?? given[0] ?? 'N/A').trim();
}
