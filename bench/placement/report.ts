/** The tables of `npm run bench:placement`. */
import { renderTable } from '../support/table.ts';
import type { CapacityBench } from './capacity.ts';
import { isRight, type SlowLinkResult } from './slow-links.ts';
import { type Bar, percent, type Quantiles, type Summary } from './summary.ts';
import type { FleetTime } from './timing.ts';

export function renderInstances({ gap, shortGap, unmetAboveLeast, hosts, mostHosts, onOneHost, cpuMs, faults }: Summary): string {
  const row = (what: string, q: Quantiles | null, told: (value: number) => string) =>
    q ? [[what, String(q.count), told(q.median), told(q.p90), told(q.worst)]] : [];
  const rows = [
    ...row('cost above the bound, everything served', gap, percent),
    ...row('cost above the bound, short fleets', shortGap, percent),
    ...row('unmet above the least, of all demand, short fleets', unmetAboveLeast, percent),
    ...row('processor time, ms', cpuMs, (ms) => ms.toFixed(0)),
  ];
  return [
    'Seeded fleets of 10 to 200 accelerators',
    renderTable(['', 'fleets', 'median', 'p90', 'worst'], rows),
    `replicas of one deployment stand on ${hosts} hosts of the ${mostHosts} that they could stand on at most; ${onOneHost} deployments on one though there are more`,
    ...faults.slice(0, MOST_FAULTS),
  ].join('\n');
}

const MOST_FAULTS = 20;

export function renderPeers({ peers }: Summary): string {
  const rows = peers.map(({ peer, fails, of, saving }) => [
    peer,
    `${fails} of ${of}`,
    ...(saving ? [saving.least, saving.lower, saving.median, saving.upper, saving.most].map(percent) : ['-', '-', '-', '-', '-']),
  ]);
  const header = ['peer', 'does not serve all', 'least', 'lower quartile', 'median', 'upper quartile', 'most'];
  return `Money that the fleet planner saves, where both serve everything\n${renderTable(header, rows)}`;
}

export function renderTimes(times: readonly FleetTime[]): string {
  const rows = times.map(({ hosts, models, load, cpuMs, wallMs, plan, loadBefore }) => [
    String(hosts),
    String(models),
    String(load),
    `${cpuMs.median.toFixed(0)} (${cpuMs.min.toFixed(0)}-${cpuMs.max.toFixed(0)})`,
    `${wallMs.median.toFixed(0)} (${wallMs.min.toFixed(0)}-${wallMs.max.toFixed(0)})`,
    percent(plan.gap),
    String(plan.replicas),
    `${plan.spread.hosts} of ${plan.spread.most}`,
    String(plan.movedAgain),
    loadBefore.toFixed(1),
  ]);
  const header = [
    'hosts',
    'models',
    'load',
    'processor ms',
    'wall ms',
    'gap',
    'replicas',
    'spread over hosts',
    'moved again',
    'machine load',
  ];
  return `Large fleets, hosts of 8 of five kinds, each plan in a process of its own: median (least-most)\n${renderTable(header, rows, 0)}`;
}

/** Load above which others were at work, too: a plan with the garbage collector and compiler beside it takes up to two. */
const QUIET = 2.5;

export function renderQuiet(times: readonly FleetTime[]): string {
  const most = Math.max(...times.map((t) => t.loadBefore));
  return most <= QUIET
    ? 'the machine was quiet but for this'
    : `the machine was not quiet (up to ${most.toFixed(1)} processes wanted a core): read processor time, which others lengthen, too, and not the wall's`;
}

export function renderLinks(results: readonly SlowLinkResult[]): string {
  const rows = results.map((result) => {
    const { model, targets, requestsPerSecond, replicas, usdPerHour, leastNarrowUsdPerHour } = result;
    const named = [['TTFT', targets.ttftMs] as const, ['TPOT', targets.tpotMs] as const, ['end to end', targets.e2eMs] as const];
    const shapes = Object.entries(replicas).map(([shape, count]) => `${count} x ${shape}`);
    return [
      ...[model, named.flatMap(([name, ms]) => (ms === undefined ? [] : [`${name} ${ms}`])).join(', '), String(requestsPerSecond)],
      ...[shapes.join(' + '), usdPerHour.toFixed(2), leastNarrowUsdPerHour?.toFixed(2) ?? '-', isRight(result) ? '' : 'WRONG'],
    ];
  });
  const header = ['model', 'SLO, ms', 'req/s', 'shapes', 'USD/h', 'TP 1 and 2 alone', ''];
  return `8 hosts of 8 L40S over PCIe, chats of 1,155 and 211 tokens\n${renderTable(header, rows, 2)}`;
}

export function renderCapacity({ groups, unattainable, closedFormMs }: CapacityBench): string {
  const rows = groups.map(({ name, rows, within, p01, p05, p50, p95, p99 }) => [
    ...[name, String(rows), percent(within)],
    ...[p01, p05, p50, p95, p99].map((ratio) => ratio.toFixed(2)),
  ]);
  const { agreed, closedFormHopeful } = unattainable;
  return [
    'Capacity of a replica, closed form over simulation',
    renderTable(['', 'shapes', 'within 15 %', 'p1', 'p5', 'median', 'p95', 'p99'], rows),
    `not attainable by simulation: ${agreed} more that the closed form denies too, ${closedFormHopeful} that it does not`,
    `one call of the closed form: ${closedFormMs.p50.toFixed(2)} ms at p50, ${closedFormMs.p90.toFixed(2)} ms at p90`,
  ].join('\n');
}

export function renderBars(bars: readonly Bar[]): string {
  return bars.map(({ aim, reached, figure }) => `${(reached ? 'REACHED' : 'NOT REACHED').padEnd(11)}  ${aim}: ${figure}`).join('\n');
}
