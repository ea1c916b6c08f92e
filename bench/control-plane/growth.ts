/** Does what it takes grow no faster than what is asked for? */
import { spreadOf } from '../support/spread.ts';
import { CONTROL_PLANE, type Round } from './measure.ts';

export interface Growth {
  /** Of which fleets. */
  hosts: string;
  what: string;
  from: number;
  to: number;
  /** `to` over `from`, over how many times more hosts there are: 1 is linear. */
  overLinear: number;
}

/** From the smallest fleet to each larger one, the largest last; medians of their rounds. */
export function growthOf(rounds: readonly Round[]): Growth[] {
  const [least, ...larger] = [...new Set(rounds.map((r) => r.hosts))].sort((a, b) => a - b);
  return larger.flatMap((most) => growthBetween(rounds, least!, most));
}

function growthBetween(rounds: readonly Round[], least: number, most: number): Growth[] {
  const median = (hosts: number, figure: (round: Round) => number) => spreadOf(rounds.filter((r) => r.hosts === hosts).map(figure)).median;
  const hosts = `${least} to ${most} hosts`;
  const figures: [string, (round: Round) => number][] = [
    ['time to all serving, s', (r) => r.allServingSeconds],
    ['processor time of the control plane, s', cpuOfControlPlane],
    ['memory of the control plane, MiB', (r) => memoryOfControlPlane(r) / 1024 ** 2],
  ];
  return figures.map(([what, figure]) => {
    const [from, to] = [median(least, figure), median(most, figure)];
    return { hosts, what, from, to, overLinear: to / from / (most / least) };
  });
}

const total = (round: Round, figure: 'cpuSeconds' | 'memoryBytes') =>
  CONTROL_PLANE.reduce((sum, name) => sum + (round.usage[name]?.[figure] ?? 0), 0);

export const cpuOfControlPlane = (round: Round) => total(round, 'cpuSeconds');
export const memoryOfControlPlane = (round: Round) => total(round, 'memoryBytes');
