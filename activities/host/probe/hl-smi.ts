/** Intel's list of Gaudi devices, as CSV: with a header, which names the columns, and units. The devices come in no order. */
import { linesOf, type MemoryUse, mebibytes, type Reading } from './reading.ts';

const COLUMNS = ['index', 'name', 'memory.total'];
export const HL_QUERY = ['-Q', COLUMNS.join(','), '--format=csv'] as const;

/** Gaudi's own use counts: about 0.7 GB of an idle device. */
const MEMORY_COLUMNS = ['index', 'memory.total', 'memory.used'];
export const HL_MEMORY_QUERY = ['-Q', MEMORY_COLUMNS.join(','), '--format=csv'] as const;

export function parseHlSmi(text: string): Reading {
  const { rows, header, column } = tableOf(text, COLUMNS);
  const devices = rows.flatMap((row) => {
    const [index = '', name] = [row[column('index')], row[column('name')]];
    if (!/^\d+$/.test(index) || !name) return [];
    return [{ index: Number(index), name, memoryBytes: mebibytes(row[column('memory.total')]) }];
  });
  return { devices, problems: [], listed: header !== undefined || devices.length > 0 };
}

export function parseHlMemory(text: string): MemoryUse[] {
  const { rows, column } = tableOf(text, MEMORY_COLUMNS);
  return rows.flatMap((row) => {
    const [index = '', totalBytes, usedBytes] = [
      row[column('index')],
      mebibytes(row[column('memory.total')]),
      mebibytes(row[column('memory.used')]),
    ];
    if (!/^\d+$/.test(index) || totalBytes === null || usedBytes === null) return [];
    return [{ index: Number(index), totalBytes, usedBytes, holders: [] }];
  });
}

/** @param columns where the tool leaves the header out */
function tableOf(text: string, columns: readonly string[]) {
  const rows = linesOf(text).map((line) => line.split(',').map((field) => field.trim()));
  const header = rows.find(([first]) => first === 'index')?.map((name) => name.replace(/\s*\[.*\]$/, ''));
  return { rows, header, column: (name: string) => (header ?? columns).indexOf(name) };
}
