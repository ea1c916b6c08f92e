/** Times on the axes and in the legends of charts, in the visitor's time zone and on 24 hours. */

const DAY_SECONDS = 86_400;
const pad = (n: number) => String(n).padStart(2, '0');

/** `09:05` */
export function clock(seconds: number): string {
  const date = new Date(seconds * 1000);
  return `${pad(date.getHours())}:${pad(date.getMinutes())}`;
}

/** `Nov 27` */
export function day(seconds: number): string {
  return new Date(seconds * 1000).toLocaleDateString('en', { month: 'short', day: 'numeric' });
}

export const dayAndClock = (seconds: number) => `${day(seconds)}, ${clock(seconds)}`;

/** Labels of a time axis, as uPlot asks for them: days where its ticks are days. */
export function timeValues(_: unknown, splits: number[], _axis: number, _space: number, increment: number): string[] {
  return splits.map(increment >= DAY_SECONDS ? day : clock);
}
