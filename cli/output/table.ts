/** Tables that fit: columns as wide as what is in them, and where that is too wide, the widest ones give way. */
import { cutPainted, paint, type Tone } from './colour.ts';

export interface Cell {
  text: string;
  tone?: Tone;
}
export type Row = readonly (string | Cell)[];

const GAP = 2;
/** No column is cut below this: where all are as narrow, lines are cut at the edge. */
const NARROWEST = 8;

export interface TableStyle {
  /** Characters in a line; infinite cuts nothing. */
  columns: number;
  colour: boolean;
}

export function renderTable(header: readonly string[], rows: readonly Row[], { columns, colour }: TableStyle): string {
  const cells = rows.map((row) => row.map((cell) => (typeof cell === 'string' ? { text: cell } : cell)));
  const natural = header.map((title, i) => Math.max(title.length, ...cells.map((row) => row[i]?.text.length ?? 0)));
  const widths = fitWidths(natural, columns);
  const lines = [header.map((title): Cell => ({ text: title, tone: 'bold' })), ...cells].map((row) =>
    row
      .map(({ text, tone }, i) => {
        const cut = truncate(text, widths[i]!);
        // The last column is not padded: nothing stands behind it.
        return paint(i === row.length - 1 ? cut : cut.padEnd(widths[i]!), tone, colour);
      })
      .join(' '.repeat(GAP))
      .trimEnd(),
  );
  return `${lines.map((line) => cutPainted(line, columns)).join('\n')}\n`;
}

function truncate(text: string, width: number): string {
  return text.length > width ? `${text.slice(0, Math.max(0, width - 1))}…` : text;
}

/** Takes from the widest column, one character at a time, until the line fits or nothing more can be taken. */
function fitWidths(natural: readonly number[], columns: number): number[] {
  const widths = [...natural];
  let excess = widths.reduce((sum, width) => sum + width, 0) + GAP * (widths.length - 1) - columns;
  while (excess > 0) {
    const widest = widths.indexOf(Math.max(...widths));
    if (widths[widest]! <= NARROWEST) break;
    widths[widest]!--;
    excess--;
  }
  return widths;
}
