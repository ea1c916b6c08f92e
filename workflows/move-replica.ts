/**
 * One move: a replica arrives, another leaves, make before break. Keyed `move-<replica>`, by the one that leaves or else the one that arrives,
 * so that nothing is moved twice at once. Failed or cancelled before the old engine is told to stop, it is undone: the new replica is retired
 * and the old one routed as before. Either way it counts against the disruption budget until its end.
 */
import { CancellationScope, executeChild, ParentClosePolicy, setCurrentDetails, upsertSearchAttributes } from '@temporalio/workflow';
import { FULL_WEIGHT } from '../core/domain/replica.ts';
import { Compensations, reasonOf } from './compensation.ts';
import { type MoveInput, type MoveOutcome, workflowIds } from './messages.ts';
import { placeReplica } from './place-replica.ts';
import { control } from './proxies.ts';
import { retire } from './retire-replica.ts';
import { searchAttributes } from './search-attributes.ts';

export async function moveReplica({ place, leaving, reason, untilMs }: MoveInput): Promise<MoveOutcome> {
  const began = Date.now();
  const undo = new Compensations();
  const parts = [place?.replicaId, leaving].filter((id) => id != null);
  const what = `${leaving ?? 'nothing'} to ${place ? `${place.replicaId} on ${place.host}` : 'nowhere: the others suffice'}`;
  if (place) upsertSearchAttributes([{ key: searchAttributes.deployment, value: place.deployment }]);
  setCurrentDetails(`From ${what}; ${reason}.`);
  try {
    let placed: MoveOutcome['placed'] = null;
    if (place) {
      const { replicaId, host } = await executeChild(placeReplica, {
        workflowId: workflowIds.place(place.replicaId),
        args: [place.replicaId],
        parentClosePolicy: ParentClosePolicy.REQUEST_CANCEL,
      });
      // One that does not come up undoes itself.
      undo.register('retire the new replica', async () => {
        // An old one that is past going back leaves the work to the new one.
        if (leaving === null || (await control.isRouted(leaving)))
          await retire(place.replicaId, `the move from ${leaving ?? 'nothing'} was called off`);
      });
      await control.routeReplicas({ [replicaId]: FULL_WEIGHT }, place.reason);
      placed = { replicaId, host };
      setCurrentDetails(`From ${what}: the new one serves; ${leaving ? 'the old one is leaving' : 'nothing leaves for it'}.`);
    }
    const why = placed ? `${reason}: replaced by ${placed.replicaId} on ${placed.host}` : reason;
    const retired = leaving ? await retire(leaving, why, { untilMs }) : null;
    const outcome: MoveOutcome = { retired, placed, seconds: (Date.now() - began) / 1000 };
    setCurrentDetails(`From ${what}: done in ${outcome.seconds.toFixed(1)} s.`);
    upsertSearchAttributes([{ key: searchAttributes.outcome, value: 'moved' }]);
    return outcome;
  } catch (error) {
    setCurrentDetails(`From ${what}: called off, ${reasonOf(error)}.`);
    upsertSearchAttributes([{ key: searchAttributes.outcome, value: 'reverted' }]);
    await undo.unwind();
    throw error;
  } finally {
    await CancellationScope.nonCancellable(() => control.endMoves(parts));
  }
}
