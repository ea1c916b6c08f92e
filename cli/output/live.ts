/** Progress: a block redrawn in place on a person's terminal, a line for each change elsewhere. It goes to stderr where stdout holds a result. */
import type { Terminal } from '../terminal.ts';
import { cutPainted } from './colour.ts';

export interface Progress {
  /** @param block all there is to see now @param line the same in one line */
  show(block: readonly string[], line: string): void;
  /** A line that stays, above the block. */
  note(line: string): void;
}

/** @param resultOnly stdout is for the result alone */
export function createProgress(terminal: Terminal, { resultOnly }: { resultOnly: boolean }): Progress {
  const write = resultOnly ? terminal.err : terminal.out;
  return terminal.interactive && !resultOnly ? redrawn(terminal) : lines(write);
}

function redrawn(terminal: Terminal): Progress {
  let drawn: readonly string[] = [];
  const erase = () => (drawn.length > 0 ? `\u001b[${drawn.length}A\u001b[0J` : '');
  return {
    show(block) {
      const width = terminal.columns();
      const fitting = block.map((line) => cutPainted(line, width));
      terminal.out(`${erase()}${fitting.map((line) => `${line}\n`).join('')}`);
      drawn = fitting;
    },
    note(line) {
      terminal.out(`${erase()}${line}\n${drawn.map((l) => `${l}\n`).join('')}`);
    },
  };
}

function lines(write: (text: string) => void): Progress {
  let last = '';
  return {
    show(_block, line) {
      if (line !== last) write(`${line}\n`);
      last = line;
    },
    note: (line) => write(`${line}\n`),
  };
}
