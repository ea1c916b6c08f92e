/** Durations on the command line: `90s`, `10m`, `2h`, `1d`; and hours back. */
import { InvalidArgumentError } from 'commander';
import { MOST_REPLAY_HOURS } from '../core/domain/replay-window.ts';

const SECONDS = { s: 1, m: 60, h: 3600, d: 86_400 };

/** For commander. @returns seconds */
export function parseDuration(text: string): number {
  const [, number, unit] = /^(\d{1,6})([smhd])$/.exec(text) ?? [];
  if (!number || !unit) throw new InvalidArgumentError('It is a whole number and a unit: 90s, 10m, 2h, 1d.');
  return Number(number) * SECONDS[unit as keyof typeof SECONDS];
}

/** For commander: so many hours back as requests may be replayed. */
export function parseReplayHours(text: string): number {
  const hours = Number(text);
  if (!(hours > 0 && hours <= MOST_REPLAY_HOURS))
    throw new InvalidArgumentError(`A number of hours above 0 and of at most ${MOST_REPLAY_HOURS}.`);
  return hours;
}
