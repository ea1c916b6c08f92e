/**
 * The engine's steps in real time: do a step, wait until it would have ended, hand out its tokens, do the next. Ends are counted
 * from the end before, not from now, so that timers which fire late (Node's are whole milliseconds) do not slow the engine down:
 * the mean rate is the engine's. An engine without work has no timer.
 */
import { hasWork, step } from '../../core/simulator/engine.ts';
import type { Engine, EngineRequest, StepResult } from '../../core/simulator/engine-state.ts';

/** An engine process that was away for longer (suspended, starved) goes on from now instead of making up for it in a burst. */
const MAX_LAG_MS = 500;

export interface PaceHooks<R extends EngineRequest> {
  /** How much slower than real time, 1 for none. */
  slowdown(): number;
  /** A step has ended; times on the clock of `performance.now()`. */
  onStep(result: StepResult<R>, startedAtMs: number): void;
}

/** @returns to be called after each submit */
export function createPace<R extends EngineRequest>(engine: Engine<R>, hooks: PaceHooks<R>): () => void {
  let active = false;
  /** When the current step ends. */
  let dueMs = 0;
  let startedAtMs = 0;

  function begin(): void {
    const now = performance.now();
    if (now - dueMs > MAX_LAG_MS) dueMs = now;
    startedAtMs = now;
    dueMs += step(engine).durationMs * hooks.slowdown();
    const delayMs = dueMs - now;
    if (delayMs < 1) setImmediate(end);
    else setTimeout(end, delayMs);
  }

  function end(): void {
    hooks.onStep(engine.result, startedAtMs);
    if (hasWork(engine)) begin();
    else active = false;
  }

  return () => {
    if (active) return;
    active = true;
    dueMs = performance.now();
    // Requests that came in the same turn of the event loop go into the same step.
    setImmediate(begin);
  };
}
