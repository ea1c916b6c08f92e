/**
 * One replica leaves without a dropped request: stop routing to it, wait until every live gateway has acknowledged that with nothing in
 * flight, stop its engine, free its accelerators. Safe to run on a replica in any state.
 */

import { WorkflowExecutionAlreadyStartedError } from '@temporalio/common';
import { ActivityFailure, executeChild, log, setCurrentDetails, sleep, upsertSearchAttributes } from '@temporalio/workflow';
import { reasonOf } from './compensation.ts';
import { workflowIds } from './messages.ts';
import { control, controlWaiting, onHostBounded } from './proxies.ts';
import { searchAttributes } from './search-attributes.ts';

export interface RetiredReplica {
  replicaId: string;
  requestsFinished: number;
  requestsDropped: number;
}

export async function retireReplica(replicaId: string, reason: string): Promise<RetiredReplica> {
  const unrouted = await control.unrouteReplica(replicaId, reason);
  upsertSearchAttributes([{ key: searchAttributes.host, value: unrouted.host }]);
  setCurrentDetails(
    `Replica \`${replicaId}\` on **${unrouted.host}** takes nothing new since routing version ${unrouted.routingVersion}; its requests are finishing.`,
  );
  const requestsFinished = await controlWaiting.awaitRequestsFinished(replicaId, unrouted);
  const requestsDropped = await stop(unrouted.host, replicaId, unrouted.generation);
  await control.endReplica(replicaId, 'stopped', reason);
  setCurrentDetails(
    `Replica \`${replicaId}\` left **${unrouted.host}**: ${requestsFinished} requests finished, ${requestsDropped} dropped.`,
  );
  return { replicaId, requestsFinished, requestsDropped };
}

/** An engine on a host that does not answer is ended by the host itself when it returns: its replica is no longer anyone's. */
async function stop(host: string, replicaId: string, generation: number): Promise<number> {
  try {
    const { requestsDropped } = await onHostBounded(host).stopEngine.executeWithOptions({ summary: `${replicaId} on ${host}` }, [
      replicaId,
      generation,
    ]);
    return requestsDropped;
  } catch (error) {
    if (!(error instanceof ActivityFailure)) throw error;
    log.warn('engine could not be stopped', { replicaId, host, error: reasonOf(error) });
    return 0;
  }
}

/** Retires a replica as a child workflow. Where another workflow is retiring it already, waits for that to end. */
export async function retire(replicaId: string, reason: string): Promise<RetiredReplica> {
  for (;;) {
    try {
      return await executeChild(retireReplica, { workflowId: workflowIds.retire(replicaId), args: [replicaId, reason] });
    } catch (error) {
      if (!(error instanceof WorkflowExecutionAlreadyStartedError)) throw error;
      await sleep('1s');
    }
  }
}

export async function retireAll(replicaIds: readonly string[], reason: string): Promise<void> {
  await Promise.all(replicaIds.map((id) => retire(id, reason)));
}
