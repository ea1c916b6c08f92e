/**
 * One entity workflow per host, `host-<name>`. It keeps an activity running on the host that heartbeats for as long as the host worker lives.
 * A report that something changed is compared with what should run: what ended is restored, what nobody owns is stopped before the host takes
 * work. Silence makes a host `suspect` (no new work), and after a grace `lost`: its replicas are made good elsewhere. Gateways wait for neither,
 * they look at the engines themselves.
 */
import {
  type ActivityInterfaceFor,
  condition,
  log,
  makeContinueAsNewFunc,
  ParentClosePolicy,
  proxyActivities,
  setCurrentDetails,
  setHandler,
  sleep,
  startChild,
  upsertSearchAttributes,
  workflowInfo,
} from '@temporalio/workflow';
import type { Presence } from '../activities/host/presence.ts';
import type { HostReconciliation, HostStanding } from '../activities/hosts.ts';
import type { HostActivities } from '../activities/index.ts';
import { watchedSilence } from '../core/domain/silence.ts';
import { reasonOf } from './compensation.ts';
import { type HostPresenceInput, type HostPresenceState, hostTaskQueue, hostWorkerStartedSignal, workflowIds } from './messages.ts';
import { control, onHostBounded } from './proxies.ts';
import { askForReplacement } from './replace-replicas.ts';
import { restoreReplica } from './restore-replica.ts';
import { searchAttributes } from './search-attributes.ts';

const HEARTBEAT_TIMEOUT_SECONDS = 15;
const PAUSE_SECONDS = 2;
const DEFAULT_LOST_AFTER_SECONDS = 60;
/** What one look at a silent host takes. */
const LOOK_MS = (HEARTBEAT_TIMEOUT_SECONDS + PAUSE_SECONDS + 1) * 1000;
const HISTORY_LIMIT = 1500;
const NOTHING_KNOWN = 'nothing known';

export async function hostPresence({ host, state: handedOn, ...input }: HostPresenceInput): Promise<void> {
  let starts = 0;
  let lostAfterSeconds = input.lostAfterSeconds ?? DEFAULT_LOST_AFTER_SECONDS;
  setHandler(hostWorkerStartedSignal, (given) => {
    starts += 1;
    lostAfterSeconds = given ?? lostAfterSeconds;
  });
  upsertSearchAttributes([{ key: searchAttributes.host, value: host }]);
  const state: HostPresenceState = handedOn ?? { digest: NOTHING_KNOWN, silentMs: null, together: false };
  let lookedAt = Date.now();
  while (workflowInfo().historyLength < HISTORY_LIMIT && !workflowInfo().targetWorkerDeploymentVersionChanged) {
    const seenStarts = starts;
    try {
      const presence = await untilRestarted(() => starts > seenStarts, presenceOf(host).reportPresence(state.digest));
      if (presence === 'restarted') {
        state.digest = NOTHING_KNOWN;
        continue;
      }
      if (state.together) log.info('a host that was silent together with others is heard of again', { host });
      Object.assign(state, { silentMs: null, together: false });
      const { orphans, restore, standing: found } = await control.reconcileHost(host, presence.engines, presence.probe);
      const standing = found ?? (await endOrphans(host, presence, orphans));
      for (const replica of restore) await startRestore(replica);
      // A host that is declared in the meantime is to be seen at once, and not when something changes there.
      state.digest = standing === 'alive' ? presence.digest : NOTHING_KNOWN;
      setCurrentDetails(WORDS[standing](host, presence.engines.length));
      if (standing !== 'alive') await sleep('5s');
    } catch (error) {
      state.silentMs = watchedSilence(state.silentMs, Date.now() - lookedAt, LOOK_MS);
      lookedAt = Date.now();
      state.digest = NOTHING_KNOWN;
      await recordSilence(host, state, lostAfterSeconds * 1000, reasonOf(error));
      await condition(() => starts > seenStarts, `${PAUSE_SECONDS}s`);
    }
  }
  // The way to a newer build of the control worker, where builds are told apart.
  const goOn = makeContinueAsNewFunc<typeof hostPresence>({ initialVersioningBehavior: 'AUTO_UPGRADE' });
  await goOn({ host, lostAfterSeconds, state });
}

const WORDS = {
  alive: (host: string, engines: number) => `**${host}** is alive with ${engines} engines.`,
  unclean: (host: string) => `**${host}** is heard of, but engines run there that nobody owns and that do not end: it takes no new work.`,
  undeclared: (host: string) => `**${host}** is alive, but nobody has declared it: apply a Host of that name.`,
};

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

async function recordSilence(host: string, state: HostPresenceState, lostAfterMs: number, why: string): Promise<void> {
  const silentMs = state.silentMs ?? 0;
  const silence = await control.recordSilence(host, silentMs >= lostAfterMs ? 'lost' : 'suspect', `silent: ${why}`);
  if (!silence) return setCurrentDetails(`**${host}** is silent, and nobody has declared it.`);
  const { liveness, together, replicas } = silence;
  if (together) {
    // What is seen while we may be the ones who are away counts for nobody: the grace begins anew, also for those that come back last.
    state.silentMs = 0;
    if (!state.together) log.error('hosts are silent together: it may be us who are away, and nothing moves', { host, ...together });
    state.together = true;
    return setCurrentDetails(
      `**${host}** is silent together with others, ${together.silent.length} of ${together.known} hosts: it is taken for our own absence, and nothing moves.`,
    );
  }
  if (state.together) log.info('few enough hosts are silent now to take each for what it seems', { host });
  state.together = false;
  setCurrentDetails(`**${host}** is *${liveness}*, watched and silent for ${Math.round(silentMs / 1000)} s: ${why}`);
  if (liveness === 'lost' && replicas > 0) await askForReplacement(`host ${host} is lost`);
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

async function endOrphans(host: string, { engines, probe }: Presence, orphans: HostReconciliation['orphans']): Promise<HostStanding> {
  const stopped = await Promise.all(orphans.map((orphan) => stopOrphan(host, orphan)));
  const running = engines.filter((e) => e.state === 'running' && !stopped.includes(e.replicaId));
  return control.recordAlive(
    host,
    running.map(({ replicaId, generation }) => ({ replicaId, generation })),
    probe,
  );
}

/** @returns the replica whose engine runs no more; null where it could not be stopped */
async function stopOrphan(host: string, { replicaId, generation }: { replicaId: string; generation: number }): Promise<string | null> {
  try {
    await onHostBounded(host).stopEngine.executeWithOptions({ summary: `orphan ${replicaId}` }, [replicaId, generation]);
    return replicaId;
  } catch (error) {
    log.warn('an orphaned engine could not be stopped', { host, replicaId, error: reasonOf(error) });
    return null;
  }
}
