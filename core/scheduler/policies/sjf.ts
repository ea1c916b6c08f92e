/**
 * Shortest job first by predicted work: within each priority, those that take an engine the least time. Best for mean latency, blind to
 * deadlines; it gains only while there is a queue. Who waits too long ages to the front, or long jobs would starve.
 */
import { inOrder } from '../in-order.ts';
import { byPriority } from '../order.ts';
import { leastInFlight } from '../room.ts';
import type { QueuedRequest, SchedulerPolicy } from '../types.ts';

/** An output token costs about as much of an engine's time as this many of a prompt: medians over the measured shapes at a batch of 32. */
const PROMPT_TOKENS_PER_OUTPUT_TOKEN = 12;

export const sjf: SchedulerPolicy = {
  name: 'sjf',
  summary: 'shortest predicted job first within each priority, to the replica with the least in flight',
  createScheduler: () =>
    inOrder({
      policy: 'sjf',
      order: byPriority(work),
      demotes: true,
      minds: 'places-and-memory',
      choose: leastInFlight,
      because: (request) =>
        `priority ${request.priority}, ${request.inputTokens} tokens in, ${Math.round(request.predictedOutput.p50)} out`,
    }),
};

function work({ inputTokens, predictedOutput }: QueuedRequest): number {
  return inputTokens + PROMPT_TOKENS_PER_OUTPUT_TOKEN * predictedOutput.p50;
}
