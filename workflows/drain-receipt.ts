/** What a drain shows of itself while it runs, and what it leaves behind. */
import type { DrainReceipt, RetiredReplica } from '../core/domain/drain.ts';
import type { DrainStatus, MoveOutcome } from './messages.ts';

export function receiptOf(host: string, planId: string | null, moved: readonly MoveOutcome[], seconds: number): DrainReceipt {
  const left = moved.flatMap(({ retired, placed, seconds: took }) => (retired ? [{ retired, placed, took }] : []));
  const total = (of: (retired: RetiredReplica) => number) => left.reduce((sum, { retired }) => sum + of(retired), 0);
  return {
    host,
    planId,
    moved: left.map(({ retired, placed, took }) => ({
      replicaId: retired.replicaId,
      replacedBy: placed?.replicaId ?? null,
      toHost: placed?.host ?? null,
      seconds: took,
      requestsFinished: retired.requestsFinished,
      requestsDropped: retired.requestsDropped,
      engineStopped: retired.engineStopped,
    })),
    seconds,
    requestsFinished: total((r) => r.requestsFinished),
    requestsDropped: total((r) => r.requestsDropped),
    requestsRetried: total((r) => r.requestsRetried),
    requestsUnknown: total((r) => r.requestsUnknown),
    gatewaysLost: Math.max(0, ...left.map(({ retired }) => retired.gatewaysLost)),
  };
}

/** In Markdown, for Temporal's UI. */
export function drainDetails(status: DrainStatus, moved: readonly MoveOutcome[], nowMs: number): string {
  const { host, phase, reason, deadlineMs, onDeadline, open } = status;
  const left = deadlineMs === null ? 0 : Math.round((deadlineMs - nowMs) / 1000);
  const deadline =
    deadlineMs === null ? '' : `\n\nDeadline ${left > 0 ? `in ${left} s` : `passed ${-left} s ago`}, then \`${onDeadline}\`.`;
  return [
    `Drain of **${host}**: *${phase}*, ${reason}${deadline}`,
    table(
      ['left', 'replaced by', 'finished', 'dropped', 'took'],
      moved.map((m) => [
        m.retired?.replicaId ?? '',
        m.placed ? `${m.placed.replicaId} on ${m.placed.host}` : 'not needed',
        `${m.retired?.requestsFinished ?? 0}`,
        `${m.retired?.requestsDropped ?? 0}`,
        `${m.seconds.toFixed(1)} s${m.retired && !m.retired.engineStopped ? ', engine not reached' : ''}`,
      ]),
    ),
    table(
      ['still here', 'open requests', 'gateways behind'],
      open.map((o) => [o.replicaId, `${o.open}`, o.gatewaysBehind.join(', ') || 'none']),
    ),
  ]
    .filter(Boolean)
    .join('\n\n');
}

function table(header: readonly string[], rows: readonly string[][]): string {
  if (rows.length === 0) return '';
  return [header, header.map(() => '---'), ...rows].map((cells) => `| ${cells.join(' | ')} |`).join('\n');
}
