/**
 * Traces of real traffic, read line by line. Each format is a pure function from a line to a request or to the reason why it is none;
 * nothing is dropped silently: rejected rows are counted, the first few with their line and reason, and what is odd about the rest is noted.
 * Whoever calls reads the file.
 */
import { UellmError } from '../../domain/errors.ts';
import { azureLines } from './azure.ts';
import { jsonlLine } from './jsonl.ts';
import { mooncakeLine } from './mooncake.ts';
import { type TraceNotes, traceNotes } from './notes.ts';
import type { LineParser, TraceRequest } from './rows.ts';

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
  /** Of the requests: what is odd, but usable. */
  notes: TraceNotes;
}

export interface TraceParser {
  line(text: string): void;
  /** @throws invalid-input when no line held a request */
  end(): Trace;
}

const EXAMPLES = 10;

/** @param what what is parsed, as errors call it: `trace chat.csv`; `firstLine` the number of the first line that comes, from 1 */
export function traceParser(format: TraceFormat, what: string, { firstLine = 1 } = {}): TraceParser {
  const parse = lineParser(format);
  const requests: TraceRequest[] = [];
  const rejected: RejectedRows = { count: 0, examples: [] };
  let lines = firstLine - 1;
  let outOfOrder = 0;
  let previousMs = 0;
  return {
    line(text) {
      lines++;
      const trimmed = text.replace(/^\uFEFF/, '').trim();
      if (trimmed === '') return;
      const parsed = parse(trimmed);
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
      return { requests, rejected, notes: traceNotes(requests, outOfOrder) };
    },
  };
}

function lineParser(format: TraceFormat): LineParser {
  switch (format) {
    case 'azure':
      return azureLines();
    case 'mooncake':
      return mooncakeLine;
    case 'jsonl':
      return jsonlLine;
  }
}

/** The format of a file by its first line that is not blank; null where it is none of them. */
export function detectTraceFormat(firstLine: string): TraceFormat | null {
  const line = firstLine.replace(/^\uFEFF/, '').trim();
  if (/^timestamp\s*,/i.test(line)) return 'azure';
  if (!line.startsWith('{')) return null;
  return typeof mooncakeLine(line) === 'object' ? 'mooncake' : 'jsonl';
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
