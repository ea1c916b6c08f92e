/** From the targets of an SLO to points in time. */
import type { SloTargets } from '../domain/slo-policy.ts';
import { decodeStepMs } from '../domain/step-time.ts';
import type { ReplicaView } from './types.ts';

export interface Deadlines {
  /** When the first token is due. */
  firstTokenMs: number;
  /** When the last token is due. */
  endMs: number;
}

/** Decode time a token where nothing better is known: an 8B model on an A100 at a third of its batch. */
const TYPICAL_DECODE_MS_PER_TOKEN = 20;
/** A batch that an engine is typically found with. */
const TYPICAL_BATCH = { sequences: 32, contextTokens: 32 * 1500 };

/** What a token takes on these replicas in a typical batch: the mean over them. */
export function typicalDecodeMsPerToken(replicas: readonly Pick<ReplicaView, 'stepTime'>[]): number {
  if (replicas.length === 0) return TYPICAL_DECODE_MS_PER_TOKEN;
  const steps = replicas.map(({ stepTime }) => decodeStepMs(stepTime, TYPICAL_BATCH.sequences, TYPICAL_BATCH.contextTokens));
  return steps.reduce((a, b) => a + b) / steps.length;
}

/**
 * Deadlines of a request that arrived at `arrivalMs` and is expected to produce `outputTokens`. An end-to-end target leaves the first
 * token what the predicted decode does not need; without a TTFT and an end-to-end target, the longest wait that the policy allows
 * stands in.
 */
export function deadlinesOf(
  targets: Pick<SloTargets, 'ttftMs' | 'tpotMs' | 'e2eMs'>,
  arrivalMs: number,
  outputTokens: number,
  maxWaitMs: number,
  decodeMsPerToken = TYPICAL_DECODE_MS_PER_TOKEN,
): Deadlines {
  const decodeMs = outputTokens * decodeMsPerToken;
  const fromEnd = targets.e2eMs === undefined ? Number.POSITIVE_INFINITY : Math.max(0, targets.e2eMs - decodeMs);
  const firstToken = Math.min(targets.ttftMs ?? Number.POSITIVE_INFINITY, fromEnd);
  const firstTokenMs = arrivalMs + (Number.isFinite(firstToken) ? firstToken : maxWaitMs);
  const streamMs = targets.tpotMs === undefined ? decodeMs : outputTokens * targets.tpotMs;
  return { firstTokenMs, endMs: targets.e2eMs === undefined ? firstTokenMs + streamMs : arrivalMs + targets.e2eMs };
}
