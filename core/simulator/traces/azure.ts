/** Azure's LLM inference traces (Azure/AzurePublicDataset): CSV with the columns TIMESTAMP, ContextTokens, GeneratedTokens. */
import { type LineParser, MAX_TOKENS, MOST_SHOWN } from './rows.ts';

const HEADER = 'TIMESTAMP,ContextTokens,GeneratedTokens';
const COLUMNS = HEADER.toLowerCase().split(',');

/** A parser of its own for each file: the header says where the columns are. Its arrivals are Unix times. */
export function azureLines(): LineParser {
  let columns: number[] | null = null;
  return (text) => {
    const cells = text.split(',').map((cell) => cell.trim().replace(/^"(.*)"$/, '$1'));
    if (!columns) {
      const found = COLUMNS.map((name) => cells.findIndex((cell) => cell.toLowerCase() === name));
      if (found.includes(-1)) return `got ${JSON.stringify(text.slice(0, MOST_SHOWN))}, allowed is a header with ${HEADER}`;
      columns = found;
      return null;
    }
    const [timestamp = '', context = '', generated = ''] = columns.map((column) => cells[column]);
    const atMs = unixMs(timestamp);
    if (atMs === null)
      return `TIMESTAMP: got ${timestamp || 'nothing'}, allowed is a time like 2023-11-16 18:15:46.6805900, of 2000 to 2099`;
    const problem = lengthProblem('ContextTokens', context) ?? lengthProblem('GeneratedTokens', generated);
    if (problem) return problem;
    return { arrivalMs: atMs, inputTokens: Number(context), outputTokens: Number(generated) };
  };
}

function lengthProblem(column: string, cell: string): string | null {
  const tokens = /^\d+$/.test(cell) ? Number(cell) : Number.NaN;
  if (tokens >= 1 && tokens <= MAX_TOKENS) return null;
  return `${column}: got ${cell || 'nothing'}, allowed is a whole number from 1 to ${MAX_TOKENS}`;
}

/** Another century is a slip, and would stretch the trace to hundreds of years. */
const TIME = /^(20\d\d-\d\d-\d\d)[ T](\d\d:\d\d:\d\d)(\.\d+)?(Z|[+-]\d\d:?\d\d)?$/;

/** Without a zone the time is taken for UTC. The fraction has more digits than Date.parse keeps. */
function unixMs(text: string): number | null {
  const [, date = '', time, fraction = '', zone = 'Z'] = TIME.exec(text) ?? [];
  if (!isDate(date)) return null;
  const wholeSeconds = Date.parse(`${date}T${time}${zone.replace(/(\d\d)(\d\d)$/, '$1:$2')}`);
  return Number.isNaN(wholeSeconds) ? null : wholeSeconds + Number(`0${fraction}`) * 1000;
}

/** Date.parse takes the 30th of February for the 2nd of March. */
function isDate(text: string): boolean {
  const [year, month, day] = text.split('-').map(Number) as [number, number, number];
  return day >= 1 && day <= new Date(Date.UTC(year, month, 0)).getUTCDate();
}
