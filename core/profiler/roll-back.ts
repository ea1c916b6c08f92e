/** Going back to an earlier snapshot: learning goes on with what comes from now on, and not again with what spoiled the one in force. */
import type { ProfilerSnapshot } from './snapshot.ts';

/** More rollbacks than this within the window of training, and the oldest is remembered no longer. */
const MOST_FORGOTTEN = 16;

/** @returns the earlier snapshot as the successor of the one in force */
export function rolledBack(to: ProfilerSnapshot, inForce: Pick<ProfilerSnapshot, 'version' | 'trainedThroughId'>): ProfilerSnapshot {
  const { version, trainedThroughId } = inForce;
  const spoiled = { after: to.trainedThroughId, through: trainedThroughId };
  const forgotten = spoiled.through > spoiled.after ? [...to.forgotten, spoiled].slice(-MOST_FORGOTTEN) : to.forgotten;
  return { ...to, version: version + 1, trainedThroughId, forgotten };
}

export function isForgotten({ forgotten }: ProfilerSnapshot, observationId: number): boolean {
  return forgotten.some(({ after, through }) => observationId > after && observationId <= through);
}
