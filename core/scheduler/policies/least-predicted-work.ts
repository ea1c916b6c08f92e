/** Least predicted work: the replica that would be done first with what it has, by predicted lengths and its own speed. */
import { decodeStepMs } from '../../domain/step-time.ts';
import { chunkedPrefillMs } from '../prefill.ts';
import { cheapest, router } from '../router.ts';
import type { ReplicaView, SchedulerPolicy } from '../types.ts';

/** A batch that an engine is typically found with: its step, shared by its sequences, is what a token costs. */
const BATCH = { sequences: 32, contextTokens: 32 * 1260 };

export const leastPredictedWork: SchedulerPolicy = {
  name: 'least-predicted-work',
  summary: 'first come, first served, to the replica with the least predicted work left',
  createScheduler: () => router('least-predicted-work', (candidates) => cheapest(candidates, workMs)),
};

/** Prompts and output tokens still to come, ms of the engine. */
function workMs({ load, stepTime, weight }: ReplicaView): number {
  const tokenMs = decodeStepMs(stepTime, BATCH.sequences, BATCH.contextTokens) / BATCH.sequences;
  return (chunkedPrefillMs(stepTime, load.prefillTokens, load.prefillSquares) + load.outstandingDecodeTokens * tokenMs) / weight;
}
