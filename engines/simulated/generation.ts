/** A request that the engine works on, and the times that its metrics are made of (a monotonic clock's, ms). */
import type { EngineRequest, Sequence } from '../../core/simulator/engine-state.ts';
import type { Answer } from './answer.ts';
import type { Reply } from './reply.ts';

export interface Generation extends EngineRequest {
  readonly answer: Answer;
  /** Which of the answers to its request. */
  readonly choice: number;
  readonly reply: Reply;
  readonly arrivedAtMs: number;
  /** null until the engine first worked on it. */
  scheduledAtMs: number | null;
  firstTokenAtMs: number | null;
  lastTokenAtMs: number;
}

export type GenerationSequence = Sequence<Generation>;
