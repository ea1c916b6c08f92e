/** What the rounds came to, as tables. */
import { spreadOf } from '../support/spread.ts';
import { renderTable } from '../support/table.ts';
import { cpuOfControlPlane, type Growth, memoryOfControlPlane } from './growth.ts';
import type { Round } from './measure.ts';

export const LABEL =
  'Engines are stand-ins: each is a sleeping process to its host, and one process answers for all of them. One process holds all host workers. ' +
  'No gateway runs: the data plane has benchmarks of its own.';

export function renderRounds(rounds: readonly Round[]): string {
  const sizes = [...new Set(rounds.map((r) => r.hosts))];
  const of = (hosts: number, figure: (round: Round) => number, digits = 1) => {
    const { median, min, max } = spreadOf(rounds.filter((r) => r.hosts === hosts).map(figure));
    return min === max ? median.toFixed(digits) : `${median.toFixed(digits)} (${min.toFixed(digits)}-${max.toFixed(digits)})`;
  };
  const MiB = 1024 * 1024;
  const processes = [...new Set(rounds.flatMap((r) => Object.keys(r.usage)))];
  const header = ['', ...sizes.map((hosts) => `${hosts} hosts, ${hosts / 2} deployments`)];
  const line = (name: string, figure: (round: Round) => number, digits = 1) => [name, ...sizes.map((hosts) => of(hosts, figure, digits))];
  const stages = [...new Set(rounds.flatMap((r) => Object.keys(r.stageSeconds)))];
  return [
    renderTable(header, [
      line('hosts alive, s', (r) => r.hostsAliveSeconds),
      line('all serving, s', (r) => r.allServingSeconds),
      line('median rollout, s', (r) => spreadOf(r.rolloutSeconds).median),
      line('longest rollout, s', (r) => spreadOf(r.rolloutSeconds).max),
      line('rollouts that succeeded', (r) => r.outcomes.succeeded ?? 0, 0),
      line('replicas that serve', (r) => r.outcomes.serving ?? 0, 0),
      line('plans made', (r) => Object.values(r.plans).reduce((a, b) => a + b, 0), 0),
      line("events in Temporal's histories, a deployment", (r) => r.eventsPerDeployment, 0),
      line('control plane, CPU s', cpuOfControlPlane),
      line('control plane, MiB', (r) => memoryOfControlPlane(r) / MiB, 0),
      ...processes.map((name) => line(`  ${name}, CPU s`, (r) => r.usage[name]?.cpuSeconds ?? 0)),
      ...processes.map((name) => line(`  ${name}, most MiB`, (r) => (r.usage[name]?.memoryBytes ?? 0) / MiB, 0)),
      ...processes.map((name) => line(`  ${name}, cores when idle`, (r) => r.idleCores[name] ?? 0, 2)),
      line('load of the machine before', (r) => r.loadBefore),
    ]),
    renderTable(
      ['seconds in a stage, median / longest', ...header.slice(1)],
      stages.map((stage) => [
        stage,
        ...sizes.map((hosts) => {
          const all = rounds.filter((r) => r.hosts === hosts).flatMap((r) => r.stageSeconds[stage] ?? []);
          if (all.length === 0) return '-';
          const { median, max } = spreadOf(all);
          return `${median.toFixed(2)} / ${max.toFixed(2)}`;
        }),
      ]),
    ),
  ].join('\n\n');
}

export function renderGrowth(growth: readonly Growth[]): string {
  return growth
    .map(({ hosts, what, from, to, overLinear }) => {
      const verdict = overLinear <= 1 ? 'no worse than linear' : 'WORSE THAN LINEAR';
      return `${hosts}, ${what}: ${from.toFixed(1)} to ${to.toFixed(1)}, ${overLinear.toFixed(2)} of linear: ${verdict}`;
    })
    .join('\n');
}
