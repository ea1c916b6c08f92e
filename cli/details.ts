/** What one object shows beneath its row. */

import type { Collection, Collections } from '../api/client.ts';
import type { Drain } from '../api/schema/index.ts';
import { counted } from '../core/domain/counted.ts';
import type { DrainReceipt } from '../core/domain/drain.ts';
import type { DeploymentOutlook, Move, Outlook } from '../core/domain/plan.ts';
import { declinedInWords } from '../core/domain/proposal.ts';
import type { Refusal } from '../core/domain/refusal.ts';
import type { RolloutStatus } from '../core/domain/rollout.ts';
import { bar, shareIn } from './output/bar.ts';
import { paint, toneOf } from './output/colour.ts';
import { percent } from './output/figures.ts';

/** Lines beneath the row of one object; none for most kinds. */
export function detailsOf<C extends Collection>(collection: C, item: Collections[C], colour: boolean, nowMs: number): string[] {
  if (collection === 'rollouts') return stageLines((item as Collections['rollouts']).status, colour);
  if (collection === 'proposals') return proposalLines(item as Collections['proposals'], nowMs);
  if (collection !== 'plans') return [];
  return planLines(item as Collections['plans']);
}

/** Every move, what it does to each deployment and to the money, and why. */
export function planLines({ moves, report }: Collections['plans']): string[] {
  const { costUsdPerHourBefore: before, costUsdPerHourAfter: after } = report;
  return [
    ...moves.map(moveLine),
    ...(report.deployments ?? []).map(outlookLine),
    ...(moves.length > 0 ? [`money: ${usdPerHour(before)} -> ${usdPerHour(after)}`] : []),
    ...report.reasons.map((reason) => `because ${reason}`),
    ...report.waiting.map(refusalLine),
  ];
}

/** What it would do, what that comes to, why, and what became of it. */
export function proposalLines(proposal: Collections['proposals'], nowMs: number): string[] {
  const { id, state, summary, outlook, moves, reasons, expiresAt, decidedBy, outcome } = proposal;
  const until = state === 'open' ? `, until ${expiresAt}: uellm pilot approve ${id}` : '';
  const became =
    state === 'declined' ? declinedInWords(proposal, nowMs) : [decidedBy && `by ${decidedBy}`, outcome].filter(Boolean).join(': ');
  return [
    `${id} ${state}${until}`,
    `  ${summary}`,
    ...(outlook ? [`  ${outlookLine(outlook)}`] : []),
    ...moves.map((move) => `  ${moveLine(move)}`),
    ...reasons.map((reason) => `  because ${reason}`),
    ...(became ? [`  ${became}`] : []),
  ];
}

export function outlookLine({ deployment, requestsPerSecond, before, after }: DeploymentOutlook): string {
  const change = (of: (o: Outlook) => string) => (of(before) === of(after) ? of(after) : `${of(before)} -> ${of(after)}`);
  return [
    `${deployment}: replicas ${change((o) => String(o.replicas))}`,
    `capacity ${change((o) => o.capacityRequestsPerSecond.toFixed(1))} for ${requestsPerSecond.toFixed(1)} req/s`,
    change((o) => usdPerHour(o.usdPerHour)),
    `predicted attainment ${change((o) => percent(o.attainment))}`,
  ].join(', ');
}

export function usdPerHour(usd: number | null): string {
  return usd === null ? 'unknown' : `${usd.toFixed(2)} USD/h`;
}

/** One line for each stage that has begun. */
export function stageLines({ stages }: RolloutStatus, colour: boolean): string[] {
  return stages.map(({ stage, state, detail, startedAtMs, endedAtMs }) => {
    const seconds = startedAtMs !== null && endedAtMs !== null ? `${((endedAtMs - startedAtMs) / 1000).toFixed(1)} s` : '';
    const share = state === 'running' ? shareIn(detail) : undefined;
    const told = share === undefined ? detail : `${bar(share, colour)} ${detail}`;
    return `${stage.padEnd(10)} ${paint(state.padEnd(8), toneOf(state), colour)} ${seconds.padStart(8)}  ${told}`.trimEnd();
  });
}

export function moveLine(move: Move): string {
  if (move.kind === 'retire')
    return `retire ${move.replicaId} on ${move.host}${move.after ? ` after ${move.after.join(', ')}` : ''}: ${move.reason}`;
  const where = `${move.host} ${move.acceleratorKind} [${move.accelerators.join(',')}]`;
  const takes =
    move.seconds === undefined ? '' : ` (about ${move.seconds} s${move.moveUsd === undefined ? '' : `, ${move.moveUsd.toFixed(2)} USD`})`;
  return `place  ${move.replicaId} on ${where}${move.replaces ? ` instead of ${move.replaces}` : ''}${takes}: ${move.reason}`;
}

export function refusalLine({ kind, on, subject, message, nearest }: Refusal): string {
  return `${kind} on ${on}, ${subject}: ${message}${nearest ? ` (${nearest})` : ''}`;
}

/** Why a drain stands where it does, each thing once: its reason repeats what it waits for in a sentence. */
export function drainReasons({ reason, waiting }: Pick<Drain, 'reason' | 'waiting'>): string[] {
  const told = waiting.some(({ message }) => reason.includes(message));
  return [...(told ? [] : [reason]), ...waiting.map(refusalLine)].filter(Boolean);
}

/** The replicas still to leave, with what is open on each. */
export function openLines({ remaining, open }: Pick<Drain, 'remaining' | 'open'>): string[] {
  return remaining.map((id) => {
    const requests = open.find((o) => o.replicaId === id);
    if (!requests) return id;
    const behind = requests.gatewaysBehind.length > 0 ? `, ${counted(requests.gatewaysBehind.length, 'gateway')} behind` : '';
    return `${id}: ${counted(requests.open, 'request')} open${behind}`;
  });
}

export function receiptLines(receipt: DrainReceipt): string[] {
  const { host, moved, seconds, requestsFinished, requestsDropped, requestsRetried, requestsUnknown, gatewaysLost } = receipt;
  return [
    `${host} is drained: ${counted(moved.length, 'replica')} left in ${seconds.toFixed(1)} s, ${counted(requestsFinished, 'request')} finished meanwhile, ${requestsDropped} dropped`,
    ...(requestsRetried > 0 ? [`  ${counted(requestsRetried, 'request')} tried again elsewhere: nothing of an answer had been sent`] : []),
    ...(gatewaysLost > 0
      ? [`  ${counted(requestsUnknown, 'request')} of ${counted(gatewaysLost, 'gateway')} that fell silent: how they ended is unknown`]
      : []),
    ...moved.map(({ replicaId, replacedBy, toHost, seconds: took, engineStopped }) => {
      const where = replacedBy ? `replaced by ${replacedBy} on ${toHost}` : 'not replaced';
      return `  ${replicaId}: ${where}, ${took.toFixed(1)} s${engineStopped === false ? '; its engine could not be reached, it ends when its host returns' : ''}`;
    }),
  ];
}
