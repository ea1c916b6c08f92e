import { expect, it } from 'vitest';
import { createLiveView } from './live.ts';
import type { Status } from './status.ts';

const CLEAR = '\x1b[0J';

/** As much of a terminal as the view uses: what stands on it, row by row, wrapped at its width as it is now. */
function terminal(columns: number, rows: number) {
  let lines: string[] = [''];
  const wrapped = (line: string) => line.match(new RegExp(`.{1,${out.columns}}`, 'g')) ?? [''];
  const out = {
    isTTY: true,
    columns,
    rows,
    write(text: string) {
      const up = text.startsWith('\x1b[') ? Number.parseInt(text.slice(2), 10) : 0;
      if (up === 0) {
        const [first = '', ...rest] = text.split('\n');
        lines = [...lines.slice(0, -1), lines.at(-1) + first, ...rest];
      } else {
        if (!text.endsWith(CLEAR)) throw new Error('what is below stays');
        lines = [...lines.flatMap(wrapped).slice(0, -1 - up), ''];
      }
    },
  };
  return { out, lines: () => lines };
}

const idle: Status = { windowSeconds: 60, clients: null, classes: [], deployments: [], activity: [] };

it('redraws in place: whatever is printed between, however wide the lines are, and when the terminal becomes narrower', async () => {
  const { out, lines } = terminal(60, 8);
  const view = createLiveView(out);
  const end = new AbortController();
  const busy = { ...idle, activity: [`rollout of a model with ${'a very '.repeat(20)} long name`, ...Array(9).fill('another')] };
  const between = [
    () => view.print('host h1 is back'),
    () => view.print(`rollout of m ended:\n${'well '.repeat(30)}`),
    () => {
      out.columns = 25;
    },
  ];
  const states = [idle, busy, idle, busy, idle];
  let reads = 0;
  const read = async () => {
    if (reads > 0) between[reads - 1]?.();
    const state = states[reads++];
    if (!state) end.abort();
    return state ?? idle;
  };
  await view.run(read, end.signal);
  expect(lines().filter((line) => line.includes('requests  '))).toHaveLength(1);
  expect(lines().filter((line) => line.includes('workflows'))).toHaveLength(1);
  expect(lines().filter((line) => line.includes('another'))).toEqual([]);
  expect(lines()).toContain('host h1 is back');
});
