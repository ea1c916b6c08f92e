/** Reads a trace line by line: of the format that is asked for, else told by its first line, else by its extension. */
import { createReadStream } from 'node:fs';
import { extname } from 'node:path';
import { createInterface } from 'node:readline/promises';
import { messageOf, UellmError } from '../../core/domain/errors.ts';
import { detectTraceFormat, type Trace, type TraceFormat, type TraceParser, traceParser } from '../../core/simulator/traces/trace.ts';

/** What an extension promises where the first line keeps no promise: the error then says what the rows lack. */
const BY_EXTENSION: Record<string, TraceFormat> = { '.csv': 'azure', '.jsonl': 'jsonl', '.ndjson': 'jsonl' };

/** @throws invalid-input when the file cannot be read, is of no known format, or holds no request */
export async function readTraceFile(path: string, asked?: TraceFormat): Promise<Trace & { format: TraceFormat }> {
  const what = `trace ${path}`;
  let format: TraceFormat | undefined = asked;
  let parser: TraceParser | undefined;
  let blankLines = 0;
  try {
    for await (const line of createInterface({ input: createReadStream(path), crlfDelay: Number.POSITIVE_INFINITY })) {
      if (!parser && line.trim() === '') {
        blankLines++;
        continue;
      }
      format ??= formatOf(line, path, what);
      parser ??= traceParser(format, what, { firstLine: blankLines + 1 });
      parser.line(line);
    }
  } catch (error) {
    if (error instanceof UellmError) throw error;
    throw invalid(what, messageOf(error), 'a file that can be read', error);
  }
  if (!parser || !format) throw invalid(what, 'an empty file', 'rows of a trace');
  return { ...parser.end(), format };
}

function formatOf(firstLine: string, path: string, what: string): TraceFormat {
  const format = detectTraceFormat(firstLine) ?? BY_EXTENSION[extname(path).toLowerCase()];
  if (format) return format;
  const given = JSON.stringify(firstLine.slice(0, 80));
  throw invalid(
    what,
    `first line ${given}`,
    'the header TIMESTAMP,ContextTokens,GeneratedTokens (azure), {"timestamp", "input_length", "output_length"} (mooncake) or {"arrivalMs", "inputTokens", "outputTokens"} (jsonl)',
  );
}

function invalid(what: string, given: string, allowed: string, cause?: unknown): UellmError {
  return new UellmError({ kind: 'invalid-input', what, issues: [{ field: '--trace', given, allowed }] }, { cause });
}
