/** Tables for terminals. */

/** Columns as wide as their widest cell, two spaces apart; the first `left` ones are left-aligned. */
export function renderTable(header: readonly string[], rows: readonly (readonly string[])[], left = 1): string {
  const widths = header.map((name, column) => rows.reduce((most, row) => Math.max(most, row[column]!.length), name.length));
  const line = (cells: readonly string[]) =>
    cells.map((cell, column) => (column < left ? cell.padEnd(widths[column]!) : cell.padStart(widths[column]!))).join('  ');
  return [line(header), widths.map((width) => '-'.repeat(width)).join('  '), ...rows.map(line)].map((text) => text.trimEnd()).join('\n');
}
