/** Intel's list of Gaudi devices, as CSV: with a header, which names the columns, and units. The devices come in no order. */
import { linesOf, mebibytes, type Reading } from './reading.ts';

const COLUMNS = ['index', 'name', 'memory.total'];
export const HL_QUERY = ['-Q', COLUMNS.join(','), '--format=csv'] as const;

export function parseHlSmi(text: string): Reading {
  const rows = linesOf(text).map((line) => line.split(',').map((field) => field.trim()));
  const header = rows.find(([first]) => first === 'index')?.map((name) => name.replace(/\s*\[.*\]$/, ''));
  const column = (name: string) => (header ?? COLUMNS).indexOf(name);
  const devices = rows.flatMap((row) => {
    const [index = '', name] = [row[column('index')], row[column('name')]];
    if (!/^\d+$/.test(index) || !name) return [];
    return [{ index: Number(index), name, memoryBytes: mebibytes(row[column('memory.total')]) }];
  });
  return { devices, problems: [], listed: header !== undefined || devices.length > 0 };
}
