/**
 * One replica takes another revision where it stands: its engine loads it beside what it serves and goes over to it, and gateways route to it
 * all the while. Keyed `reload-<replica>`. Where the new one cannot be loaded the old one serves on, untouched; whatever else fails, or a
 * cancellation, loads the old one again, as a later generation, and starts the engine anew where even that fails.
 */
import {
  ActivityFailure,
  ApplicationFailure,
  CancellationScope,
  ParentClosePolicy,
  setCurrentDetails,
  sleep,
  startChild,
  TimeoutFailure,
  upsertSearchAttributes,
} from '@temporalio/workflow';
import type { EngineSpec, ReloadedEngine, RevisionEngine } from '../activities/index.ts';
import { isFailureOfKind, reasonOf } from './compensation.ts';
import { type ReloadInput, workflowIds } from './messages.ts';
import { control, onHost, onHostBounded } from './proxies.ts';
import { restoreReplica } from './restore-replica.ts';
import { searchAttributes } from './search-attributes.ts';

/** How long an engine that is started anew is waited for. */
const RESTORE_WAIT = '15 minutes';
const HOST_WAIT_MS = 30 * 60_000;

export async function reloadReplica({ replicaId, revision, reason, isReturn }: ReloadInput): Promise<void> {
  const { from, to } = await control.reloadSpecs(replicaId, revision);
  const { host, deployment, generation } = to.spec;
  upsertSearchAttributes([
    { key: searchAttributes.host, value: host },
    { key: searchAttributes.deployment, value: deployment },
  ]);
  setCurrentDetails(`Replica \`${replicaId}\` on **${host}** loads revision ${revision} beside ${from.revision}; ${reason}.`);
  try {
    await load(to, reason);
    setCurrentDetails(`Replica \`${replicaId}\` on **${host}** serves revision ${revision} as generation ${generation}.`);
  } catch (error) {
    setCurrentDetails(`Replica \`${replicaId}\` on **${host}**: ${reasonOf(error)}`);
    if (isFailureOfKind(error, 'engine-failed') && !isReturn) throw error;
    const back = isReturn ? { ...to, spec: { ...to.spec, generation: from.spec.generation } } : from;
    await CancellationScope.nonCancellable(() => bringBack(back, `revision ${back.revision} again: ${reasonOf(error)}`));
    if (!isReturn) throw error;
  }
}

async function load(engine: RevisionEngine, reason: string): Promise<void> {
  const { spec, revision } = engine;
  const summary = `revision ${revision} as generation ${spec.generation}`;
  const loaded = await onHost(spec.host).reloadEngine.executeWithOptions({ summary }, [spec]);
  const stays = await control.recordReloaded(engine, loaded, reason);
  if (!stays) throw ApplicationFailure.nonRetryable(`${spec.replicaId} is leaving`, 'conflict');
}

/** One that is leaving needs nothing: its host ends what is left of it. @throws where it does not serve again in time */
async function bringBack(engine: RevisionEngine, reason: string): Promise<void> {
  const { spec } = engine;
  const { replicaId, generation } = spec;
  try {
    await onHostBounded(spec.host).fetchWeights.executeWithOptions({ summary: spec.source }, [spec]);
  } catch {
    // The engine finds them, or says so.
  }
  const loaded = await loadAgain(spec, reason);
  if (!(await control.recordReloaded(engine, loaded, reason)) || loaded) return;
  // Later than what may have been loaded after all, without our being told.
  const restoring = await startChild(restoreReplica, {
    workflowId: workflowIds.restore(replicaId, generation + 2),
    args: [replicaId, generation + 2],
    parentClosePolicy: ParentClosePolicy.ABANDON,
  });
  const late = sleep(RESTORE_WAIT).then(() => {
    throw ApplicationFailure.nonRetryable(`${replicaId} is being started anew and does not serve yet`, 'refused');
  });
  await Promise.race([restoring.result(), late]);
}

/**
 * While its host is away nobody knows what the engine serves: it is left as it is until the host returns, or is lost.
 * @returns null where the engine cannot
 */
async function loadAgain(spec: EngineSpec, reason: string): Promise<ReloadedEngine | null> {
  for (const untilMs = Date.now() + HOST_WAIT_MS; ; ) {
    try {
      return await onHostBounded(spec.host).reloadEngine.executeWithOptions({ summary: reason }, [spec]);
    } catch (error) {
      if (!isUnreached(error)) return null;
      if (!(await control.replicasOnHost(spec.host)).some((r) => r.id === spec.replicaId)) return null;
      if (Date.now() >= untilMs) throw error;
    }
  }
}

/** No worker of the host has taken it. */
function isUnreached(error: unknown): boolean {
  return error instanceof ActivityFailure && error.cause instanceof TimeoutFailure && error.cause.timeoutType === 'SCHEDULE_TO_START';
}
