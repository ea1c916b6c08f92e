import { execFileSync } from 'node:child_process';
import { describe, expect, it } from 'vitest';

/** In a process of its own: V8's flags are the whole process's. Of what it makes a twentieth is kept for a while, as of requests. */
const program = (first: string) => `
  import { collectYoungGarbageCheaply, youngBytes } from '${new URL('./young-garbage.ts', import.meta.url)}';
  ${first}
  const open = [];
  for (let turn = 0; turn < 1000; turn++) {
    for (let i = 0; i < 4000; i++) open[i < 200 ? (turn % 20) * 200 + i : 0] = { turn, i, text: 'x' + i };
    await new Promise((resolve) => setTimeout(resolve, 1));
  }
  console.log(youngBytes());
`;
const largest = (first: string) =>
  Number(execFileSync(process.execPath, ['--import', 'tsx', '--input-type=module', '-e', program(first)], { encoding: 'utf8' }));

describe('collectYoungGarbageCheaply', () => {
  it('lets the young generation grow, but not as far as it would by itself', () => {
    const kept = largest('collectYoungGarbageCheaply();');
    expect(kept).toBeGreaterThan(8 * 2 ** 20);
    expect(kept).toBeLessThan(20 * 2 ** 20);
    expect(largest('')).toBeGreaterThan(30 * 2 ** 20);
  });
});
