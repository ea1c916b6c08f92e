/** Reads a trace line by line: of the format that is asked for, else told by one of its first lines, else by its extension. */
import { createReadStream } from 'node:fs';
import { extname } from 'node:path';
import { createInterface } from 'node:readline/promises';
import { messageOf, UellmError } from '../../core/domain/errors.ts';
import { detectTraceFormat, type Trace, type TraceFormat, type TraceParser, traceParser } from '../../core/simulator/traces/trace.ts';

/** What an extension promises where the first line keeps no promise: the error then says what the rows lack. */
const BY_EXTENSION: Record<string, TraceFormat> = { '.csv': 'azure', '.jsonl': 'jsonl', '.ndjson': 'jsonl' };

/** So many of the first lines may be something else before one tells the format. */
const MOST_BEFORE = 10;

/**
 * @param classes those that rows may name
 * @throws invalid-input when the file cannot be read, is of no known format, or holds no request
 */
export async function readTraceFile(
  path: string,
  { format: asked, classes }: { format?: TraceFormat | undefined; classes?: readonly string[] } = {},
): Promise<Trace & { format: TraceFormat }> {
  const what = `trace ${path}`;
  let format: TraceFormat | undefined = asked;
  let parser: TraceParser | undefined;
  const before: string[] = [];
  let said = 0;
  const begin = () => {
    format ??= formatOf(before, path, what);
    parser = traceParser(format, what, classes);
    for (const line of before) parser.line(line);
  };
  try {
    for await (const line of createInterface({ input: createReadStream(path), crlfDelay: Number.POSITIVE_INFINITY })) {
      if (parser) parser.line(line);
      else {
        before.push(line);
        if (line.trim() === '') continue;
        said++;
        if (asked || detectTraceFormat(line) || said === MOST_BEFORE) begin();
      }
    }
    if (!parser && said > 0) begin();
  } catch (error) {
    if (error instanceof UellmError) throw error;
    throw invalid(what, messageOf(error), 'a file that can be read', error);
  }
  if (!parser || !format) throw invalid(what, 'an empty file', 'rows of a trace');
  return { ...parser.end(), format };
}

function formatOf(lines: readonly string[], path: string, what: string): TraceFormat {
  const format = detectTraceFormat(lines.at(-1)!) ?? BY_EXTENSION[extname(path).toLowerCase()];
  if (format) return format;
  const given = JSON.stringify(lines.find((line) => line.trim() !== '')!.slice(0, 80));
  throw invalid(
    what,
    `first line ${given}`,
    'the header TIMESTAMP,ContextTokens,GeneratedTokens (azure), {"timestamp", "input_length", "output_length"} (mooncake) or {"arrivalMs", "inputTokens", "outputTokens"} (jsonl)',
  );
}

function invalid(what: string, given: string, allowed: string, cause?: unknown): UellmError {
  return new UellmError({ kind: 'invalid-input', what, issues: [{ field: '--trace', given, allowed }] }, { cause });
}
