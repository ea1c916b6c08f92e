/**
 * Traces of real traffic, read line by line. Each format is a pure function from a line to a request or to the reason why it is none;
 * nothing is dropped silently: rejected rows are counted, the first few with their line and reason, and what is odd about the rest is noted.
 * Whoever calls reads the file.
 */
import { describeIssue, UellmError } from '../../domain/errors.ts';
import { azureLines } from './azure.ts';
import { jsonlLines } from './jsonl.ts';
import { mooncakeLines } from './mooncake.ts';
import { type TraceNotes, traceNotes } from './notes.ts';
import type { LineParser, ParsedLine, TraceRequest } from './rows.ts';

export type { TraceNotes } from './notes.ts';
export type { TraceRequest } from './rows.ts';

export const TRACE_FORMATS = ['azure', 'mooncake', 'jsonl'] as const;
export type TraceFormat = (typeof TRACE_FORMATS)[number];

export interface RejectedRows {
  count: number;
  /** The first few; lines count from 1. */
  examples: { line: number; reason: string }[];
}

export interface Trace {
  /** By arrival. */
  requests: TraceRequest[];
  rejected: RejectedRows;
  /** What is odd, but usable. */
  notes: TraceNotes;
}

export interface TraceParser {
  line(text: string): void;
  /** @throws invalid-input when no line held a request */
  end(): Trace;
}

const EXAMPLES = 10;

/** @param what what is parsed, as errors call it: `trace chat.csv`; `classes` those that a row may name, any where absent */
export function traceParser(format: TraceFormat, what: string, classes?: readonly string[]): TraceParser {
  const unread = new Map<string, number>();
  const parse = lineParser(format, unread);
  const requests: TraceRequest[] = [];
  const rejected: RejectedRows = { count: 0, examples: [] };
  let lines = 0;
  let outOfOrder = 0;
  let previousMs = 0;
  return {
    line(text) {
      lines++;
      const trimmed = text.replace(/^\uFEFF/, '').trim();
      if (trimmed === '') return;
      const parsed = classes ? withKnownClass(parse(trimmed), classes) : parse(trimmed);
      if (typeof parsed === 'string') {
        rejected.count++;
        if (rejected.examples.length < EXAMPLES) rejected.examples.push({ line: lines, reason: parsed });
      } else if (parsed) {
        if (parsed.arrivalMs < previousMs) outOfOrder++;
        previousMs = parsed.arrivalMs;
        requests.push(parsed);
      }
    },
    end() {
      if (requests.length === 0) throw noRequests(format, what, lines, rejected);
      if (outOfOrder > 0) requests.sort((a, b) => a.arrivalMs - b.arrivalMs);
      if (format === 'azure') rebase(requests); // its rows carry calendar times
      return { requests, rejected, notes: traceNotes(requests, outOfOrder, unread) };
    },
  };
}

function lineParser(format: TraceFormat, unread: Map<string, number>): LineParser {
  switch (format) {
    case 'azure':
      return azureLines();
    case 'mooncake':
      return mooncakeLines(unread);
    case 'jsonl':
      return jsonlLines(unread);
  }
}

function withKnownClass(parsed: ParsedLine, classes: readonly string[]): ParsedLine {
  if (parsed === null || typeof parsed === 'string' || parsed.class === undefined || classes.includes(parsed.class)) return parsed;
  return describeIssue({ field: 'class', given: JSON.stringify(parsed.class), allowed: `one of the SLO file's: ${classes.join(', ')}` });
}

/** The format of a file by one of its lines: by the names that the line has, whether its values are possible or not. null where it does not tell. */
export function detectTraceFormat(line: string): TraceFormat | null {
  const text = line.replace(/^\uFEFF/, '').trim();
  if (/^"?timestamp"?\s*,/i.test(text)) return 'azure';
  if (!text.startsWith('{')) return null;
  return /"(timestamp|input_length|output_length|hash_ids)"\s*:/.test(text) ? 'mooncake' : 'jsonl';
}

function rebase(requests: TraceRequest[]): void {
  const startMs = requests[0]!.arrivalMs;
  for (const request of requests) request.arrivalMs -= startMs;
}

function noRequests(format: TraceFormat, what: string, lines: number, rejected: RejectedRows): UellmError {
  const first = rejected.examples[0];
  const given = `${lines} ${lines === 1 ? 'line' : 'lines'} without a request${first ? `; line ${first.line}: ${first.reason}` : ''}`;
  return new UellmError({ kind: 'invalid-input', what, issues: [{ field: '', given, allowed: `rows of the ${format} format` }] });
}
