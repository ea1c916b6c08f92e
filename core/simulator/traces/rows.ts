/** What all formats share: what a row becomes, and which numbers are possible. */
import { z } from 'zod';
import { describeIssue } from '../../domain/errors.ts';
import { fieldIssues } from '../../domain/validate.ts';

export interface TraceRequest {
  /** Since the start of the trace. */
  arrivalMs: number;
  inputTokens: number;
  outputTokens: number;
  class?: string | undefined;
  prompt?: string | undefined;
  /** Ids of the prompt's leading blocks: equal ids, equal content. */
  prefixBlocks?: (string | number)[] | undefined;
}

/** A request, why the line is none, or null for a line that holds no row (a header). */
export type ParsedLine = TraceRequest | string | null;
export type LineParser = (text: string) => ParsedLine;

/** Of a line that is no row, characters. */
export const MOST_SHOWN = 60;

/** More than any model takes: beyond it a row is broken, not large. */
export const MAX_TOKENS = 10_000_000;
export const tokensSchema = z.number().int().min(1).max(MAX_TOKENS);
/** Up to about 30 years from the start of the trace. */
const MAX_ARRIVAL_MS = 1e12;
export const arrivalMsSchema = z.number().min(0).max(MAX_ARRIVAL_MS);

export const isTokens = (value: unknown): value is number => Number.isInteger(value) && inRange(value as number, 1, MAX_TOKENS);
export const isArrivalMs = (value: unknown): value is number => typeof value === 'number' && inRange(value, 0, MAX_ARRIVAL_MS);
const inRange = (value: number, least: number, most: number) => value >= least && value <= most;

/**
 * A parser for lines of JSON objects; fields that the schema does not name pass, and are counted.
 * @param isRow knows most valid rows at a glance, because a schema takes four times as long and a trace may have a million rows. A row
 *   that it does not know goes to the schema, which alone rejects and says why; it must know none that the schema would reject.
 */
export function jsonLines<S extends z.ZodObject>(
  schema: S,
  isRow: (row: Partial<Record<keyof z.output<S>, unknown>>) => boolean,
  toRequest: (row: z.output<S>) => TraceRequest,
): (unread: Map<string, number>) => LineParser {
  return (unread) => (text) => {
    let row: unknown;
    try {
      row = JSON.parse(text);
    } catch {
      return `got ${JSON.stringify(text.slice(0, MOST_SHOWN))}, allowed is a JSON object`;
    }
    if (typeof row !== 'object' || row === null || !isRow(row)) {
      const result = schema.safeParse(row);
      if (!result.success) return fieldIssues(result.error, row).map(describeIssue).join('; ');
    }
    for (const name in row as object) if (!Object.hasOwn(schema.shape, name)) unread.set(name, (unread.get(name) ?? 0) + 1);
    return toRequest(row as z.output<S>);
  };
}
