/** The live table as text: `formatTable` for a terminal, `formatLine` where lines are all there is. */
import type { ClassStatus, DeploymentStatus, Status } from './status.ts';

const MOST_ACTIVITY_LINES = 6;

export function formatTable(status: Status, width: number): string[] {
  const classes = status.classes.map((c) => `${c.name.padEnd(14)} ${attainment(c).padStart(7)} of ${c.requests} requests`);
  const deployments = status.deployments.map((d) => `${d.name.padEnd(18)} ${places(d)}${d.simulated ? '   SIMULATED' : ''}`);
  const hidden = status.activity.length - MOST_ACTIVITY_LINES;
  const activity = [...status.activity.slice(0, MOST_ACTIVITY_LINES), ...(hidden > 0 ? [`and ${hidden} more`] : [])];
  return [
    ...section('requests', [rate(status), ...clients(status)]),
    ...section('within SLO', classes.length > 0 ? classes : ['no requests yet']),
    ...section('replicas', deployments.length > 0 ? deployments : ['none yet']),
    ...section('workflows', activity.length > 0 ? activity : ['nothing is changing']),
  ].map((line) => fitted(line, width));
}

/** On one line of the terminal: no reason that somebody gave breaks it. */
function fitted(line: string, width: number): string {
  const plain = line.replace(/\p{Cc}+/gu, ' ');
  return plain.length > width ? `${plain.slice(0, Math.max(0, width - 1))}…` : plain;
}

export function formatLine(status: Status): string {
  return [
    [`requests ${rate(status)}`, ...clients(status)].join(', '),
    `within SLO ${status.classes.map((c) => `${c.name} ${attainment(c)}`).join(', ') || 'no requests yet'}`,
    `replicas ${status.deployments.map((d) => `${d.name} ${places(d)}${d.simulated ? ' (simulated)' : ''}`).join(', ') || 'none yet'}`,
    ...(status.activity.length > 0 ? [status.activity.join(', ')] : []),
  ].join(' | ');
}

function section(title: string, lines: string[]): string[] {
  return lines.map((line, index) => `  ${(index === 0 ? title : '').padEnd(12)}${line}`);
}

const rate = ({ classes, windowSeconds }: Status) =>
  `${(classes.reduce((sum, c) => sum + c.requests, 0) / windowSeconds).toFixed(1)}/s over the last ${windowSeconds} s`;

/** Whatever went wrong is named only when it did. */
function clients({ clients }: Status): string[] {
  if (!clients) return [];
  const { sent, ok, refused, failed, cut } = clients;
  const wrong = Object.entries({ refused, failed, cut }).flatMap(([end, count]) => (count > 0 ? [`${count} ${end}`] : []));
  return [[`${sent} sent by the demo's clients`, `${ok} answered whole`, ...wrong].join(', ')];
}

const attainment = ({ attained }: ClassStatus) => `${(attained * 100).toFixed(1)} %`;

const places = ({ hosts }: DeploymentStatus) =>
  hosts.map(({ host, ready, all }) => `${host} ${ready === all ? ready : `${ready} of ${all}`}`).join('  ');
