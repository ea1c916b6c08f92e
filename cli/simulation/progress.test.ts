import { describe, expect, it } from 'vitest';
import type { Terminal } from '../terminal.ts';
import { createSimulationProgress } from './progress.ts';

function drawn(columns: number | null, runs: number | null = 2) {
  let text = '';
  let nowMs = 0;
  const terminal = { errColumns: () => columns, err: (more: string) => (text += more) } as unknown as Terminal;
  const progress = createSimulationProgress(terminal, runs, () => nowMs);
  return { progress, at: (ms: number) => (nowMs = ms), text: () => text };
}
const ERASE = '\u001b[1A\u001b[0J';

describe('the bar', () => {
  it('is redrawn in place, at most ten times a second, and cleared', () => {
    const { progress, at, text } = drawn(100);
    progress.begin('edf at 1×', 4000);
    at(50);
    progress.ended(1000);
    at(1000);
    progress.ended(2000);
    progress.clear();
    progress.clear();
    expect(text()).toBe(
      [
        'edf at 1×  ░░░░░░░░░░░░░░░░░░░░ 0 %  run 1 of 2\n',
        `${ERASE}edf at 1×  ██████████░░░░░░░░░░ 50 %  2,000 requests/s  3 s left  run 1 of 2\n`,
        ERASE,
      ].join(''),
    );
  });
  it('says of a search only how long the run will take', () => {
    const { progress, at, text } = drawn(100, null);
    progress.begin('edf at 1×', 4000);
    at(1000);
    progress.ended(2000);
    expect(text()).toContain('1 s left  run 1 of a search');
  });
  it('stays on one line', () => {
    const { progress, text } = drawn(20);
    progress.begin('a policy with a long name at 1×', 10);
    expect(text()).toBe('a policy with a lon\n');
  });
  it('is nothing where nobody looks', () => {
    const { progress, text } = drawn(null);
    progress.begin('edf', 10);
    progress.ended(10);
    progress.clear();
    expect(text()).toBe('');
  });
});
