/**
 * Latency headroom, as llm-d's predicted-latency scorer describes it: what the targets leave over the predicted TTFT and TPOT, blended 0.8
 * to 0.2. Among replicas that keep both targets the one with the least headroom takes the request (which packs them and keeps others free);
 * where none does, the one that misses by the least. A request without a target of a kind has no headroom of that kind to weigh.
 */
import { predictTpotMs, predictTtftMs } from '../latency.ts';
import { cheapest, router } from '../router.ts';
import type { QueuedRequest, ReplicaView, SchedulerPolicy } from '../types.ts';

const TTFT_WEIGHT = 0.8;
const TPOT_WEIGHT = 0.2;
/** Keeping both targets goes before any headroom: more than the longest target, a day, can leave. */
const MISSED = 1e9;

export const latencyHeadroom: SchedulerPolicy = {
  name: 'latency-headroom',
  summary: "llm-d's: to the replica that keeps the targets with the least headroom, else misses them by the least",
  createScheduler: () =>
    router('latency-headroom', (candidates, request, nowMs) => cheapest(candidates, (replica) => headroomCost(replica, request, nowMs))),
};

function headroomCost(replica: ReplicaView, request: QueuedRequest, nowMs: number): number {
  const { targets, deadlines } = request;
  const isFirstTokenDue = targets.ttftMs !== undefined || targets.e2eMs !== undefined;
  const ttft = isFirstTokenDue ? deadlines.firstTokenMs - nowMs - predictTtftMs(replica, request) : 0;
  const tpot = targets.tpotMs === undefined ? 0 : targets.tpotMs - predictTpotMs(replica, request, nowMs);
  const missed = TTFT_WEIGHT * Math.min(0, ttft) + TPOT_WEIGHT * Math.min(0, tpot);
  return missed < 0 ? MISSED - missed : TTFT_WEIGHT * ttft + TPOT_WEIGHT * tpot;
}
