/**
 * One reserved replica, from nothing to serving: fetch weights, start the engine, wait, calibrate. It ends with the replica warm and not yet
 * routed; whoever started it decides what traffic it gets. On failure or cancellation the engine is stopped and the accelerators are freed.
 */
import { getExternalWorkflowHandle, setCurrentDetails, setHandler, upsertSearchAttributes, workflowInfo } from '@temporalio/workflow';
import type { EngineSpec } from '../activities/index.ts';
import { START_ATTEMPTS } from '../core/domain/replica.ts';
import { Compensations, isFailureOfKind, reasonOf } from './compensation.ts';
import { type PlacingStage, type ReplicaProgress, replicaProgressSignal, weightsProgressSignal } from './messages.ts';
import { control, fetchingOnHost, onHost, onHostBounded } from './proxies.ts';
import { searchAttributes } from './search-attributes.ts';

export async function placeReplica(replicaId: string): Promise<{ replicaId: string; host: string; endpoint: string }> {
  const undo = new Compensations();
  let why = '';
  undo.register('free the accelerators', () => control.endReplica(replicaId, 'failed', `it could not be started: ${why}`));
  try {
    const reserved = await control.engineSpec(replicaId);
    upsertSearchAttributes([
      { key: searchAttributes.model, value: reserved.model },
      { key: searchAttributes.host, value: reserved.host },
      { key: searchAttributes.deployment, value: reserved.deployment },
    ]);
    const host = onHost(reserved.host);
    const passed = (stage: PlacingStage, detail: string) =>
      tellParent({ replicaId, passed: stage, detail: `${replicaId} on ${reserved.host}: ${detail}` });

    setHandler(weightsProgressSignal, (line) =>
      tellParent({ replicaId, passed: 'fetch', underway: true, detail: `${replicaId} on ${reserved.host}: ${line}` }),
    );
    const weights = await fetchingOnHost(reserved.host).fetchWeights.executeWithOptions(
      { summary: `${reserved.source} to ${reserved.host}` },
      [reserved],
    );
    await passed('fetch', weights);

    undo.register('stop the engine', () => onHostBounded(reserved.host).stopEngine(replicaId, reserved.generation + START_ATTEMPTS));
    const {
      spec,
      endpoint,
      result: calibration,
    } = await startEngine(reserved, async (spec, endpoint) => {
      await passed('start', `serves at ${endpoint}`);
      await control.setReplicaState(replicaId, 'warming', 'warming up and calibrating');
      return host.calibrateEngine.executeWithOptions({ summary: `step time of ${replicaId}` }, [spec, endpoint]);
    });
    await control.recordServing(spec, endpoint, calibration);

    const fitted = `step time fitted within ${calibration.errorPercent.toFixed(1)} %`;
    const found = calibration.sound ? fitted : `${fitted}: too noisy, what was known stays in force`;
    setCurrentDetails(`Replica \`${replicaId}\` serves \`${spec.model}\` on **${spec.host}** at ${endpoint}; ${found}.`);
    await passed('calibrate', found);
    return { replicaId, host: spec.host, endpoint };
  } catch (error) {
    why = reasonOf(error);
    setCurrentDetails(`Replica \`${replicaId}\`: ${why}`);
    await undo.unwind();
    throw error;
  }
}

/** What another start may mend: the engine exited, was stopped with its host, or went away under our hands. */
const MENDABLE = ['engine-failed', 'conflict', 'not-found', 'unavailable'] as const;

/**
 * Starts the engine, waits until it serves, and does with it what `whenReady` says. An engine that ends on the way is started again as the
 * next generation.
 */
export async function startEngine<T>(
  reserved: EngineSpec,
  whenReady: (spec: EngineSpec, endpoint: string) => Promise<T>,
): Promise<{ spec: EngineSpec; endpoint: string; result: T }> {
  const host = onHost(reserved.host);
  let ended: string | undefined;
  for (let attempt = 1; ; attempt++) {
    const spec = { ...reserved, generation: reserved.generation + attempt - 1 };
    const reason = attempt === 1 ? 'the engine is starting' : `the engine ended and is started again (${attempt} of ${START_ATTEMPTS})`;
    await control.beginGeneration(spec.replicaId, spec.generation, reason, ended);
    try {
      const endpoint = await host.startEngine.executeWithOptions(
        { summary: `${spec.engine} for ${spec.model}, generation ${spec.generation}` },
        [spec],
      );
      await host.awaitEngineReady.executeWithOptions({ summary: `${spec.replicaId} at ${endpoint}` }, [spec.replicaId]);
      return { spec, endpoint, result: await whenReady(spec, endpoint) };
    } catch (error) {
      if (attempt >= START_ATTEMPTS || !MENDABLE.some((kind) => isFailureOfKind(error, kind))) throw error;
      ended = reasonOf(error);
    }
  }
}

/** Progress for the rollout that waits; a parent that has ended needs none. */
async function tellParent(progress: ReplicaProgress): Promise<void> {
  setCurrentDetails(progress.detail);
  const parent = workflowInfo().parent;
  if (!parent) return;
  await getExternalWorkflowHandle(parent.workflowId)
    .signal(replicaProgressSignal, progress)
    .catch(() => {});
}
