/**
 * Requests from a file of lengths alone, such as vidur's (microsoft/vidur, MIT): CSV with the columns num_prefill_tokens and
 * num_decode_tokens, one request a row, no times. Arrivals are Poisson: a file without times supports nothing finer.
 */
import { UellmError } from '../../domain/errors.ts';
import { createRandom } from '../random.ts';
import { MAX_TOKENS, type TraceRequest } from '../traces/rows.ts';
import type { RejectedRows } from '../traces/trace.ts';
import { gammaGaps, steadyArrivals } from './arrivals.ts';

export interface RequestLengths {
  inputTokens: number;
  outputTokens: number;
}

export interface LengthsFile {
  /** In the file's order. */
  lengths: RequestLengths[];
  rejected: RejectedRows;
}

export interface LengthsOptions {
  seed: number | string;
  /** All of the file's where absent. */
  requests?: number | undefined;
  requestsPerSecond: number;
  /** `file` takes the rows as they come and begins again after the last; `sampled` draws them by seed, with replacement. */
  order: 'file' | 'sampled';
}

const COLUMNS = ['num_prefill_tokens', 'num_decode_tokens'] as const;
const EXAMPLES = 10;

/**
 * @param what what is parsed, as errors call it: `lengths arxiv.csv`
 * @throws invalid-input without the header, or when no row holds two lengths
 */
export function parseLengths(text: string, what: string): LengthsFile {
  const [header = '', ...rows] = text.replace(/^\uFEFF/, '').split('\n');
  const names = header.split(',').map((name) => name.trim().toLowerCase());
  const columns = COLUMNS.map((name) => names.indexOf(name));
  if (columns.includes(-1)) throw invalid(what, `first line ${JSON.stringify(header.slice(0, 80))}`, `a header with ${COLUMNS.join(', ')}`);
  const file: LengthsFile = { lengths: [], rejected: { count: 0, examples: [] } };
  for (const [i, row] of rows.entries()) {
    if (row.trim() === '') continue;
    const cells = row.split(',');
    const [input = Number.NaN, output = Number.NaN] = columns.map((column) => tokens(cells[column]));
    if (input && output) {
      file.lengths.push({ inputTokens: input, outputTokens: output });
      continue;
    }
    file.rejected.count++;
    const reason = `${COLUMNS[input ? 1 : 0]}: got ${cells[columns[input ? 1 : 0]!]?.trim() || 'nothing'}, allowed is a whole number from 1 to ${MAX_TOKENS}`;
    if (file.rejected.examples.length < EXAMPLES) file.rejected.examples.push({ line: i + 2, reason });
  }
  if (file.lengths.length === 0) throw invalid(what, `${rows.length} rows without two lengths`, `rows with ${COLUMNS.join(', ')}`);
  return file;
}

/** @param lengths at least one */
export function lengthsWorkload(lengths: readonly RequestLengths[], options: LengthsOptions): TraceRequest[] {
  const { seed, requests = lengths.length, requestsPerSecond, order } = options;
  const draws = createRandom(`${seed}:lengths`);
  const row = order === 'file' ? (i: number) => i % lengths.length : () => Math.floor(draws() * lengths.length);
  return steadyArrivals(createRandom(`${seed}:arrivals`), gammaGaps(1), requests, requestsPerSecond).map((arrivalMs, i) => ({
    arrivalMs,
    ...lengths[row(i)]!,
  }));
}

/** NaN where it is none. */
function tokens(cell: string | undefined): number {
  const value = /^\s*\d+\s*$/.test(cell ?? '') ? Number(cell) : Number.NaN;
  return value >= 1 && value <= MAX_TOKENS ? value : Number.NaN;
}

function invalid(what: string, given: string, allowed: string): UellmError {
  return new UellmError({ kind: 'invalid-input', what, issues: [{ field: '', given, allowed }] });
}
