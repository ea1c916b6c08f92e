/** Shows the state of things until told to stop: redrawn in place on a terminal, a line now and then elsewhere. */
import { setTimeout as delay } from 'node:timers/promises';
import type { WriteStream } from 'node:tty';
import type { Status } from './status.ts';
import { formatLine, formatTable } from './table.ts';

const REDRAW_EVERY_MS = 1000;
const LINE_EVERY_MS = 10_000;

export interface LiveView {
  /** Prints a line of its own, above the table. */
  print(line: string): void;
  /** Shows until `signal` says so. */
  run(read: () => Promise<Status>, signal: AbortSignal): Promise<void>;
}

export function createLiveView(out: WriteStream): LiveView {
  const terminal = out.isTTY === true;
  let drawn: string[] = [];

  function erase(): void {
    if (drawn.length > 0) out.write(`\x1b[${drawn.length}A\x1b[0J`);
  }

  function draw(lines: string[]): void {
    erase();
    drawn = lines;
    if (lines.length > 0) out.write(`${lines.join('\n')}\n`);
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
          if (terminal) draw(formatTable(status, out.columns));
          else out.write(`${formatLine(status)}\n`);
        }
        await delay(terminal ? REDRAW_EVERY_MS : LINE_EVERY_MS, undefined, { signal }).catch(() => undefined);
      }
      drawn = [];
    },
  };
}
