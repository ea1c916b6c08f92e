/**
 * What a request takes of an engine: its prompt, its tokens' part in every step they are in, and their part of the steps' fixed cost. In
 * units of what a typical request takes of that engine, so that unlike engines compare: what costs less than elsewhere belongs here.
 */
import type { StepTimeCoefficients } from '../../domain/step-time.ts';
import { chunkedPrefillMs } from '../prefill.ts';
import type { QueuedRequest, ReplicaView } from '../types.ts';

/** Sequences that share a step's fixed cost in a busy engine. */
const BATCH = 128;
/** Means look back over about so many requests, and typical costs are worked out anew after so many. */
const WINDOW = 500;
const REFRESH = 50;

export class Costs {
  #seen = 0;
  #inputTokens = 1000;
  #outputTokens = 200;
  readonly #typicalMs = new Map<StepTimeCoefficients, number>();

  /** A request has come: this is what is typical. */
  observe({ inputTokens, predictedOutput }: QueuedRequest): void {
    this.#seen += 1;
    const pace = Math.max(1 / WINDOW, 1 / this.#seen);
    this.#inputTokens += pace * (inputTokens - this.#inputTokens);
    this.#outputTokens += pace * (predictedOutput.p50 - this.#outputTokens);
    if (this.#seen % REFRESH === 0) this.#typicalMs.clear();
  }

  get outputTokens(): number {
    return this.#outputTokens;
  }

  /** Engine time of a typical request, ms. */
  typicalMs(stepTime: StepTimeCoefficients): number {
    let ms = this.#typicalMs.get(stepTime);
    if (ms === undefined) {
      const prefillMs = chunkedPrefillMs(stepTime, this.#inputTokens, this.#inputTokens ** 2);
      ms = prefillMs + decodeMs(stepTime, this.#inputTokens, this.#outputTokens);
      this.#typicalMs.set(stepTime, ms);
    }
    return ms;
  }

  /** Of a request whose prompt takes `prefillMs` there. */
  cost({ stepTime }: ReplicaView, { inputTokens, predictedOutput }: QueuedRequest, prefillMs: number): number {
    return (prefillMs + decodeMs(stepTime, inputTokens, predictedOutput.p50)) / this.typicalMs(stepTime);
  }

  /** Of a request none of whose prompt is cached there. */
  wholeCost(replica: ReplicaView, request: QueuedRequest): number {
    return this.cost(replica, request, chunkedPrefillMs(replica.stepTime, request.inputTokens, request.inputTokens ** 2));
  }

  /**
   * Typical requests that a replica gets through in a millisecond when a token may take `tpotMs`: with the largest batch that keeps the
   * pace beside the prompts that this takes, or that its places and its KV cache hold. 0 where a step takes longer by itself.
   */
  capacity({ stepTime, maxInFlight, kvCacheTokens }: ReplicaView, tpotMs: number): number {
    const [input, output] = [this.#inputTokens, this.#outputTokens];
    const contextTokens = input + output / 2;
    const promptMs = chunkedPrefillMs(stepTime, input, input ** 2);
    const fixedMs = stepTime.d0 + stepTime.o;
    const sequenceMs = stepTime.d1 + stepTime.d2 * contextTokens;
    const byPace = Math.max(0, 1 - fixedMs / tpotMs) / (promptMs + output * sequenceMs);
    const sequences = Math.min(maxInFlight, kvCacheTokens / contextTokens);
    const byRoom = sequences / (output * (fixedMs + sequences * sequenceMs) + sequences * promptMs);
    return Math.min(byPace, byRoom);
  }

  /** Typical requests that these replicas get through in a millisecond, when busy. */
  throughput(replicas: readonly ReplicaView[]): number {
    let perMs = 0;
    for (const { stepTime, load } of replicas) perMs += 1 / (this.typicalMs(stepTime) * load.stepTimeScale);
    return perMs;
  }
}

function decodeMs({ d0, d1, d2, o }: StepTimeCoefficients, inputTokens: number, outputTokens: number): number {
  return outputTokens * (d1 + d2 * (inputTokens + outputTokens / 2) + (d0 + o) / BATCH);
}
