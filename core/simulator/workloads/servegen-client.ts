/**
 * What ServeGen (alibaba/ServeGen, Apache-2.0; arXiv 2505.09999) says about one client of a service.
 *
 * `chunk-N-trace.csv`, without a header: start of a window (s), requests a second in it, CV of the gaps between arrivals, their
 * distribution (Gamma or Weibull; empty where nothing arrives) and its two fitted parameters. These are not used: for Gamma the first is
 * 1 / CV² exactly, and the second says again what the rate says (worse, where the client was idle for a part of the window).
 *
 * `chunk-N-dataset.json`: by the start of a window (s; six hours long, so longer than the trace's), probabilities by length in tokens, as
 * the text of a Python dict, empty where nothing arrived. A reasoning model's output includes its reasoning.
 */
import { z } from 'zod';
import { UellmError } from '../../domain/errors.ts';
import { parseInput } from '../../domain/validate.ts';
import type { Random } from '../random.ts';
import { MAX_TOKENS } from '../traces/rows.ts';
import { type Gaps, gammaGaps, weibullGaps } from './arrivals.ts';

export interface ServeGenFiles {
  /** Unique; part of the client's seed, so that other clients leave its requests as they were. */
  name: string;
  /** The text of `chunk-N-trace.csv`. */
  trace: string;
  /** The text of `chunk-N-dataset.json`. */
  dataset: string;
}

export interface RateWindow {
  startSeconds: number;
  endSeconds: number;
  requestsPerSecond: number;
  gaps: Gaps;
}

export interface LengthWindow {
  startSeconds: number;
  drawInput(random: Random): number;
  drawOutput(random: Random): number;
}

/** In order and without holes; the last window is as long as the one before it. @throws invalid-input that names the line */
export function rateWindows({ name, trace }: ServeGenFiles): RateWindow[] {
  const rows = trace.split('\n').flatMap((line, i) => (line.trim() === '' ? [] : [rateRow(name, line, i + 1)]));
  rows.sort((a, b) => a.startSeconds - b.startSeconds);
  return rows.map((row, i) => {
    const next = rows[i + 1];
    const width = next ? next.startSeconds - row.startSeconds : row.startSeconds - (rows[i - 1]?.startSeconds ?? row.startSeconds - 600);
    return { ...row, endSeconds: row.startSeconds + width };
  });
}

function rateRow(name: string, line: string, number: number): Omit<RateWindow, 'endSeconds'> {
  const cells = line.split(',').map((cell) => cell.trim());
  const [startSeconds = -1, requestsPerSecond = -1, cv = -1] = cells.slice(0, 3).map((cell) => (cell === '' ? -1 : Number(cell)));
  if (!(startSeconds >= 0 && requestsPerSecond >= 0 && cv >= 0 && Number.isFinite(startSeconds + requestsPerSecond + cv)))
    throw invalid(
      name,
      `trace line ${number}`,
      JSON.stringify(line.slice(0, 80)),
      'window start, rate and CV, each a number of at least 0',
    );
  // Without a CV, as if it were Poisson.
  return { startSeconds, requestsPerSecond, gaps: (cells[3] === 'Weibull' ? weibullGaps : gammaGaps)(cv || 1) };
}

const datasetSchema = z.record(
  z.string().regex(/^\d+(\.\d+)?$/, 'the start of a window in seconds'),
  z.looseObject({ input_tokens: z.string().optional(), output_tokens: z.string().optional() }),
);

/** Those that have lengths, in order. @throws invalid-input when the dataset is none */
export function lengthWindows({ name, dataset }: ServeGenFiles): LengthWindow[] {
  let json: unknown;
  try {
    json = JSON.parse(dataset);
  } catch {
    throw invalid(name, 'dataset', JSON.stringify(dataset.slice(0, 80)), 'a JSON object');
  }
  const windows = Object.entries(parseInput(datasetSchema, json, `ServeGen client ${name}: dataset`));
  return windows
    .filter(([, { input_tokens, output_tokens }]) => hasLengths(input_tokens) && hasLengths(output_tokens))
    .map(([start, { input_tokens = '', output_tokens = '' }]) => ({
      startSeconds: Number(start),
      drawInput: lazyLengths(input_tokens),
      drawOutput: lazyLengths(output_tokens),
    }))
    .sort((a, b) => a.startSeconds - b.startSeconds);
}

const ENTRY = /(\d+)(?:\.0*)?\s*:\s*([\d.]+(?:[eE][+-]?\d+)?)/;
const hasLengths = (text: string | undefined) => text !== undefined && ENTRY.test(text);

/** Reads the text at the first draw: a day's file is a megabyte, an hour needs a quarter of it. */
function lazyLengths(text: string): (random: Random) => number {
  let lengths: number[] | undefined;
  let sums: number[] = [];
  return (random) => {
    if (!lengths) {
      const entries = [...text.matchAll(new RegExp(ENTRY, 'g'))];
      lengths = entries.map(([, tokens]) => Math.min(Math.max(1, Number(tokens)), MAX_TOKENS));
      let sum = 0;
      sums = entries.map(([, , probability]) => (sum += Number(probability)));
    }
    return lengths[firstAbove(sums, random() * sums.at(-1)!)]!;
  };
}

/** Index of the first of the ascending `sums` above `value`, or the last. */
function firstAbove(sums: readonly number[], value: number): number {
  let low = 0;
  let high = sums.length - 1;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (sums[middle]! > value) high = middle;
    else low = middle + 1;
  }
  return low;
}

export function invalid(name: string, field: string, given: string, allowed: string): UellmError {
  return new UellmError({ kind: 'invalid-input', what: `ServeGen client ${name}`, issues: [{ field, given, allowed }] });
}
