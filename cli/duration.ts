/** Durations on the command line: `90s`, `10m`, `2h`, `1d`. */
import { InvalidArgumentError } from 'commander';

const SECONDS = { s: 1, m: 60, h: 3600, d: 86_400 };

/** For commander. @returns seconds */
export function parseDuration(text: string): number {
  const [, number, unit] = /^(\d{1,6})([smhd])$/.exec(text) ?? [];
  if (!number || !unit) throw new InvalidArgumentError('It is a whole number and a unit: 90s, 10m, 2h, 1d.');
  return Number(number) * SECONDS[unit as keyof typeof SECONDS];
}
