/**
 * One entity workflow per host, `host-<name>`. It keeps an activity running on the host that heartbeats for as long as the host worker lives.
 * A report that something changed is compared with what should run: what ended is restored, what nobody owns is stopped. Silence makes a
 * host `suspect` (no new work), and after a grace `lost`; gateways do not wait for either, they look at the engines themselves.
 */
import {
  type ActivityInterfaceFor,
  condition,
  continueAsNew,
  log,
  ParentClosePolicy,
  proxyActivities,
  setCurrentDetails,
  setHandler,
  sleep,
  startChild,
  upsertSearchAttributes,
  workflowInfo,
} from '@temporalio/workflow';
import type { HostActivities } from '../activities/index.ts';
import { reasonOf } from './compensation.ts';
import { type HostPresenceInput, hostTaskQueue, hostWorkerStartedSignal, workflowIds } from './messages.ts';
import { control, onHostBounded } from './proxies.ts';
import { restoreReplica } from './restore-replica.ts';
import { searchAttributes } from './search-attributes.ts';

const HEARTBEAT_TIMEOUT_SECONDS = 15;
const LOST_AFTER_MS = 60_000;
const HISTORY_LIMIT = 1500;

export async function hostPresence({ host }: HostPresenceInput): Promise<void> {
  let starts = 0;
  setHandler(hostWorkerStartedSignal, () => {
    starts += 1;
  });
  upsertSearchAttributes([{ key: searchAttributes.host, value: host }]);
  let digest = 'nothing known';
  let silentSince: number | null = null;
  while (workflowInfo().historyLength < HISTORY_LIMIT) {
    const seenStarts = starts;
    try {
      const presence = await untilRestarted(() => starts > seenStarts, presenceOf(host).reportPresence(digest));
      if (presence === 'restarted') {
        digest = 'nothing known';
        continue;
      }
      silentSince = null;
      const { orphans, restore } = await control.reconcileHost(host, presence.engines);
      for (const orphan of orphans) await stopOrphan(host, orphan);
      const declared = await control.recordAlive(host, presence.probe);
      for (const replica of restore) await startRestore(replica);
      digest = presence.digest;
      setCurrentDetails(
        declared
          ? `**${host}** is alive with ${presence.engines.length} engines.`
          : `**${host}** is alive, but nobody has declared it: apply a Host of that name.`,
      );
      if (!declared) await sleep('5s');
    } catch (error) {
      silentSince ??= Date.now();
      digest = 'nothing known';
      await recordSilence(host, silentSince, reasonOf(error));
      await condition(() => starts > seenStarts, '2s');
    }
  }
  await continueAsNew<typeof hostPresence>({ host });
}

/** No retries: silence is news, and the loop above is the retry. */
function presenceOf(host: string): ActivityInterfaceFor<HostActivities> {
  return proxyActivities<HostActivities>({
    taskQueue: hostTaskQueue(host),
    scheduleToStartTimeout: `${HEARTBEAT_TIMEOUT_SECONDS}s`,
    startToCloseTimeout: '1h',
    heartbeatTimeout: `${HEARTBEAT_TIMEOUT_SECONDS}s`,
    retry: { maximumAttempts: 1 },
  });
}

/**
 * The activity's answer, or `restarted` as soon as a new host worker has said hello. The old activity is left alone then, not cancelled: its
 * worker is gone, and a cancelled activity that times out afterwards is an event that the SDK cannot take.
 */
async function untilRestarted<T>(restarted: () => boolean, work: Promise<T>): Promise<T | 'restarted'> {
  work.catch(() => {});
  return Promise.race([work, condition(restarted).then(() => 'restarted' as const)]);
}

async function recordSilence(host: string, sinceMs: number, why: string): Promise<void> {
  const silentMs = Date.now() - sinceMs;
  const liveness = silentMs >= LOST_AFTER_MS ? 'lost' : 'suspect';
  const concluded = await control.recordSilence(host, liveness, `silent: ${why}`);
  setCurrentDetails(
    concluded
      ? `**${host}** is *${liveness}*, silent for ${Math.round(silentMs / 1000)} s: ${why}`
      : `**${host}** is silent together with much of the fleet: it is taken for our own absence, and nothing moves.`,
  );
}

async function startRestore({ replicaId, generation }: { replicaId: string; generation: number }): Promise<void> {
  try {
    await startChild(restoreReplica, {
      workflowId: workflowIds.restore(replicaId, generation),
      args: [replicaId, generation],
      parentClosePolicy: ParentClosePolicy.ABANDON,
    });
  } catch (error) {
    log.info('a restore is under way already', { replicaId, generation, error: reasonOf(error) });
  }
}

async function stopOrphan(host: string, { replicaId, generation }: { replicaId: string; generation: number }): Promise<void> {
  try {
    await onHostBounded(host).stopEngine.executeWithOptions({ summary: `orphan ${replicaId}` }, [replicaId, generation]);
  } catch (error) {
    log.warn('an orphaned engine could not be stopped', { host, replicaId, error: reasonOf(error) });
  }
}
