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
 * A parser for lines of JSON objects; fields that the schema does not name pass.
 * @param isRow knows most valid rows at a glance, because a schema takes four times as long and a trace may have a million rows. A row
 *   that it does not know goes to the schema, which alone rejects and says why; it must know none that the schema would reject.
 */
export function jsonLines<S extends z.ZodType>(
  schema: S,
  isRow: (row: Partial<Record<keyof z.output<S>, unknown>>) => boolean,
  toRequest: (row: z.output<S>) => TraceRequest,
): LineParser {
  return (text) => {
    let row: unknown;
    try {
      row = JSON.parse(text);
    } catch {
      return 'not a JSON object';
    }
    if (typeof row === 'object' && row !== null && isRow(row)) return toRequest(row as z.output<S>);
    const result = schema.safeParse(row);
    return result.success ? toRequest(result.data) : fieldIssues(result.error, row).map(describeIssue).join('; ');
  };
}
