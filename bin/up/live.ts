/** Shows the state of things until told to stop: redrawn in place on a terminal, a line now and then elsewhere. */
import { setTimeout as delay } from 'node:timers/promises';
import type { Status } from './status.ts';
import { formatLine, formatTable } from './table.ts';

const REDRAW_EVERY_MS = 1000;
const LINE_EVERY_MS = 10_000;

/** A terminal of unknown size. */
const DEFAULT_COLUMNS = 80;
const DEFAULT_ROWS = 24;

/** What of `process.stdout` is used; columns and rows are those of now. */
export interface Output {
  isTTY?: boolean;
  columns?: number;
  rows?: number;
  write(text: string): unknown;
}

export interface LiveView {
  /** Prints a line of its own, above the table. */
  print(line: string): void;
  /** Shows until `signal` says so. */
  run(read: () => Promise<Status>, signal: AbortSignal): Promise<void>;
}

export function createLiveView(out: Output): LiveView {
  const terminal = out.isTTY === true;
  let drawn: string[] = [];
  const columns = () => out.columns || DEFAULT_COLUMNS;

  /** Lines that fitted when they were drawn take several rows of a terminal that became narrower since. */
  function erase(): void {
    const rows = drawn.reduce((sum, line) => sum + Math.max(1, Math.ceil(line.length / columns())), 0);
    if (rows > 0) out.write(`\x1b[${rows}A\r\x1b[0J`);
  }

  /** Leaves out what the terminal is too low for: the cursor does not come back to a row that has scrolled away. */
  function draw(lines: string[]): void {
    erase();
    drawn = lines.slice(0, (out.rows || DEFAULT_ROWS) - 1);
    if (drawn.length > 0) out.write(`${drawn.join('\n')}\n`);
  }

  return {
    print(line) {
      const table = drawn;
      erase();
      drawn = [];
      out.write(`${line}\n`);
      draw(table);
    },

    async run(read, signal) {
      while (!signal.aborted) {
        // Postgres may be away for a moment; the table then stays as it was.
        const status = await read().catch(() => undefined);
        if (signal.aborted) break;
        if (status) {
          if (terminal) draw(formatTable(status, columns()));
          else out.write(`${formatLine(status)}\n`);
        }
        await delay(terminal ? REDRAW_EVERY_MS : LINE_EVERY_MS, undefined, { signal }).catch(() => undefined);
      }
      drawn = [];
    },
  };
}
