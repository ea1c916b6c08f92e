/**
 * One replica leaves without a dropped request: stop routing to it, wait until every live gateway has acknowledged that with nothing in
 * flight, stop its engine, free its accelerators. Safe to run on a replica in any state. Of a lost host nothing is waited for: what it may still
 * answer it goes on answering, and is ended before the host takes work again.
 */

import {
  ActivityFailure,
  CancellationScope,
  executeChild,
  isCancellation,
  log,
  ParentClosePolicy,
  setCurrentDetails,
  upsertSearchAttributes,
} from '@temporalio/workflow';
import type { RequestsLeft, UnroutedReplica } from '../activities/index.ts';
import type { RetiredReplica } from '../core/domain/drain.ts';
import { reasonOf } from './compensation.ts';
import { workflowIds } from './messages.ts';
import { control, controlWaiting, onHostBounded } from './proxies.ts';
import { searchAttributes } from './search-attributes.ts';
import { whenFree } from './when-free.ts';

export interface RetireOptions {
  /** Since the epoch: requests that still run then are ended, and tried elsewhere where nothing of an answer has been sent. */
  untilMs?: number | null;
}

/** Once the engine is gone, the gateways know of each request how it ended. */
const SETTLED_WITHIN_MS = 15_000;

/** Cancelled, or failed, before its engine is told to stop, it is routed as before. */
export async function retireReplica(replicaId: string, reason: string, { untilMs = null }: RetireOptions = {}): Promise<RetiredReplica> {
  const abandoned = await control.abandonReplica(replicaId, reason);
  if (abandoned) {
    const why = abandoned === 'ended-before' ? 'had ended before' : 'is given up with its host, which is lost';
    setCurrentDetails(`Replica \`${replicaId}\` ${why}.`);
    return retired(replicaId, NOTHING_LEFT, abandoned === 'ended-before');
  }
  let unrouted: UnroutedReplica;
  let left: RequestsLeft;
  try {
    unrouted = await control.unrouteReplica(replicaId, reason);
    upsertSearchAttributes([{ key: searchAttributes.host, value: unrouted.host }]);
    setCurrentDetails(
      `Replica \`${replicaId}\` on **${unrouted.host}** takes nothing new since routing version ${unrouted.routingVersion}; its requests are finishing.`,
    );
    left = await controlWaiting.awaitRequestsFinished(replicaId, unrouted, untilMs);
  } catch (error) {
    const why = isCancellation(error) ? 'its leaving was called off' : reasonOf(error);
    await CancellationScope.nonCancellable(() => control.routeAsBefore(replicaId, `it stays: ${why}`));
    throw error;
  }
  return CancellationScope.nonCancellable(() => leave(replicaId, reason, unrouted, left));
}

async function leave(replicaId: string, reason: string, unrouted: UnroutedReplica, left: RequestsLeft): Promise<RetiredReplica> {
  const { host, generation } = unrouted;
  const stopped = await stop(host, replicaId, generation, left.open > 0 ? 0 : undefined);
  const ended =
    left.open > 0
      ? await controlWaiting.awaitRequestsFinished(replicaId, unrouted, Date.now() + SETTLED_WITHIN_MS)
      : // What the gateways know nothing of came from elsewhere.
        { ...left, dropped: left.dropped + (stopped?.requestsDropped ?? 0) };
  await control.endReplica(replicaId, 'stopped', reason);
  const result = retired(replicaId, ended, stopped !== null);
  setCurrentDetails(
    `Replica \`${replicaId}\` left **${host}**: ${result.requestsFinished} requests finished, ${result.requestsDropped} dropped.` +
      (stopped ? '' : ' Its engine could not be reached: it is ended when its host returns.'),
  );
  return result;
}

const NOTHING_LEFT: RequestsLeft = { finished: 0, retried: 0, dropped: 0, open: 0, gatewaysLost: 0, unknown: 0 };

/** @param left what is still open although its engine has been told to end is held to be lost */
function retired(replicaId: string, left: RequestsLeft, engineStopped: boolean): RetiredReplica {
  return {
    replicaId,
    requestsFinished: left.finished,
    requestsDropped: left.dropped,
    requestsRetried: left.retried,
    requestsUnknown: left.unknown + left.open,
    gatewaysLost: left.gatewaysLost,
    engineStopped,
  };
}

/**
 * An engine on a host that does not answer is ended by the host itself when it returns: its replica is no longer anyone's.
 * @returns null where it could not be told
 */
async function stop(
  host: string,
  replicaId: string,
  generation: number,
  graceSeconds: number | undefined,
): Promise<{ requestsDropped: number } | null> {
  try {
    const call = onHostBounded(host).stopEngine;
    return await call.executeWithOptions({ summary: `${replicaId} on ${host}` }, [replicaId, generation, graceSeconds]);
  } catch (error) {
    if (!(error instanceof ActivityFailure)) throw error;
    log.warn('engine could not be stopped', { replicaId, host, error: reasonOf(error) });
    return null;
  }
}

/** Retires a replica as a child workflow. Where another workflow is retiring it already, waits for that to end. */
export function retire(replicaId: string, reason: string, options: RetireOptions = {}): Promise<RetiredReplica> {
  return whenFree(() =>
    executeChild(retireReplica, {
      workflowId: workflowIds.retire(replicaId),
      args: [replicaId, reason, options],
      // Nobody is left who wants it gone: it is routed as before.
      parentClosePolicy: ParentClosePolicy.REQUEST_CANCEL,
    }),
  );
}

export async function retireAll(replicaIds: readonly string[], reason: string): Promise<void> {
  await Promise.all(replicaIds.map((id) => retire(id, reason)));
}
