/** Does what it takes grow no faster than what is asked for? */
import { spreadOf } from '../support/spread.ts';
import { CONTROL_PLANE, type Round } from './measure.ts';

export interface Growth {
  what: string;
  from: number;
  to: number;
  /** `to` over `from`, over how many times more hosts there are: 1 is linear. */
  overLinear: number;
}

/** From the smallest fleet to the largest, medians of their rounds. */
export function growthOf(rounds: readonly Round[]): Growth[] {
  const sizes = [...new Set(rounds.map((r) => r.hosts))].sort((a, b) => a - b);
  const [least, most] = [sizes[0]!, sizes.at(-1)!];
  if (least === most) return [];
  const median = (hosts: number, figure: (round: Round) => number) => spreadOf(rounds.filter((r) => r.hosts === hosts).map(figure)).median;
  const figures: [string, (round: Round) => number][] = [
    ['time to all serving, s', (r) => r.allServingSeconds],
    ['processor time of the control plane, s', cpuOfControlPlane],
    ['memory of the control plane, bytes', memoryOfControlPlane],
  ];
  return figures.map(([what, figure]) => {
    const [from, to] = [median(least, figure), median(most, figure)];
    return { what, from, to, overLinear: to / from / (most / least) };
  });
}

const total = (round: Round, figure: 'cpuSeconds' | 'memoryBytes') =>
  CONTROL_PLANE.reduce((sum, name) => sum + (round.usage[name]?.[figure] ?? 0), 0);

export const cpuOfControlPlane = (round: Round) => total(round, 'cpuSeconds');
export const memoryOfControlPlane = (round: Round) => total(round, 'memoryBytes');
