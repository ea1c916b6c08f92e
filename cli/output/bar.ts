/** How far something is, as a bar of so many characters. */
import { paint } from './colour.ts';

const WIDTH = 24;

/** @param share from 0 to 1 */
export function bar(share: number, colour: boolean, width = WIDTH): string {
  const full = Math.round(Math.min(Math.max(share, 0), 1) * width);
  return (
    paint('█'.repeat(full), full === width ? 'good' : 'busy', colour && full > 0) +
    paint('░'.repeat(width - full), 'dim', colour && full < width)
  );
}

/** The share that a line names last, as in `3.0 of 9.0 GB (33 %), 210 MB/s`; undefined where it names none. */
export function shareIn(line: string): number | undefined {
  const percent = [...line.matchAll(/\((\d+) %\)/g)].at(-1)?.[1];
  return percent === undefined ? undefined : Number(percent) / 100;
}
