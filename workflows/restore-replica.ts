/**
 * A replica whose engine ended without being asked to: started again on its own accelerators as the next generation, and routed as before.
 * One that does not start there again has failed for good, and is made good elsewhere.
 */
import { setCurrentDetails, upsertSearchAttributes } from '@temporalio/workflow';
import { START_ATTEMPTS } from '../core/domain/replica.ts';
import { Compensations, isFailureOfKind, reasonOf } from './compensation.ts';
import { startEngine } from './place-replica.ts';
import { control, onHost, onHostBounded } from './proxies.ts';
import { askForReplacement } from './replace-replicas.ts';
import { searchAttributes } from './search-attributes.ts';

export async function restoreReplica(replicaId: string, generation: number): Promise<void> {
  const undo = new Compensations();
  const spec = { ...(await control.engineSpec(replicaId)), generation };
  let why = '';
  try {
    upsertSearchAttributes([{ key: searchAttributes.host, value: spec.host }]);
    // The report that asked for this may be old: a worker that was away read it late, and the engine is back already.
    if (await onHost(spec.host).isEngineRunning(replicaId, generation - 1)) return;
    undo.register('free the accelerators', () => control.endReplica(replicaId, 'failed', `its engine could not be started again: ${why}`));
    undo.register('stop the engine', () => onHostBounded(spec.host).stopEngine(replicaId, generation + START_ATTEMPTS));
    const started = await startEngine(spec, (engine, endpoint) => control.rerouteReplica(replicaId, engine.generation, endpoint));
    setCurrentDetails(`Replica \`${replicaId}\` serves again on **${spec.host}** as generation ${started.spec.generation}.`);
  } catch (error) {
    // Its host knows a later generation: whoever began that looks after it.
    if (isFailureOfKind(error, 'stale-generation'))
      return setCurrentDetails(`Replica \`${replicaId}\` is in other hands: ${reasonOf(error)}`);
    why = reasonOf(error);
    setCurrentDetails(`Replica \`${replicaId}\` could not be restored: ${why}`);
    await undo.unwind();
    await askForReplacement(`${replicaId} could not be started again`, [{ host: spec.host, accelerators: spec.accelerators }]);
    throw error;
  }
}
