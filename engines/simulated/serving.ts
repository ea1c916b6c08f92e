/** The simulated engine at work on requests: takes them in, paces their tokens, keeps its metrics. It knows replies, not HTTP. */
import { abort, createEngine, resizeKvCache, submit } from '../../core/simulator/engine.ts';
import { DEFAULT_STEP_NOISE, type StepResult } from '../../core/simulator/engine-state.ts';
import { createRandom } from '../../core/simulator/random.ts';
import { type Answer, NO_ANSWER, planAnswer } from './answer.ts';
import type { EmbeddingRequest } from './embeddings.ts';
import { type ApiError, badRequest, unavailable } from './errors.ts';
import type { Faults } from './faults.ts';
import type { Generation, GenerationSequence } from './generation.ts';
import { createMetrics, type EngineMetrics } from './metrics.ts';
import { createPace } from './pace.ts';
import type { Ending, Reply } from './reply.ts';
import type { GenerationRequest } from './request.ts';
import type { Settings } from './settings.ts';

export type Started = { ok: true; sequences: readonly GenerationSequence[] } | { ok: false; error: ApiError };

export interface Serving {
  readonly metrics: EngineMetrics;
  /** Puts a request into the engine and begins its reply, or says why it never fits. */
  start(request: GenerationRequest, reply: Reply): Started;
  /** The same for prompts that are read and not answered. */
  embed(request: EmbeddingRequest, reply: Reply): Started;
  /** The faults are others now: makes the KV cache as large as they say. Who no longer fits has its reply ended with an error. */
  faultsChanged(): void;
  /** Frees what an unfinished request holds. Harmless after its end. */
  cancel(sequence: GenerationSequence): void;
}

/**
 * @param faults read at every step and request: change it in place
 * @param onOutOfMemory the fault has struck: the engine is to end at once, with these last words
 */
export function createServing(settings: Settings, faults: Readonly<Faults>, onOutOfMemory: (lastWords: string) => void): Serving {
  const noise = { share: DEFAULT_STEP_NOISE, random: createRandom(`${settings.seed}:${settings.replicaId}`) };
  const engine = createEngine<Generation>({ ...settings.engine, noise });
  const metrics = createMetrics(engine, settings.deployment);
  const wake = createPace(engine, { slowdown: () => faults.slowdown, onStep });
  // All replicas of a model answer a prompt alike.
  const answerSeed = `${settings.seed}:${settings.model}`;

  function onStep(result: StepResult<Generation>, startedAtMs: number): void {
    // Everyone left before it began.
    if (result.durationMs === 0) return;
    const nowMs = performance.now();
    for (const { request } of result.admitted) request.scheduledAtMs ??= startedAtMs;
    metrics.step(result, nowMs);
    for (const sequence of result.emitted) {
      // Otherwise its client left while the step was running.
      if (sequence.state !== 'aborted') emit(sequence, nowMs);
    }
    const kvUsage = engine.kv.used / engine.kv.total;
    if (faults.outOfMemoryAtKvUsage !== null && kvUsage > faults.outOfMemoryAtKvUsage) onOutOfMemory(outOfMemory(kvUsage));
  }

  function emit(sequence: GenerationSequence, nowMs: number): void {
    const { request } = sequence;
    const { answer } = request;
    request.firstTokenAtMs ??= nowMs;
    request.lastTokenAtMs = nowMs;
    let ending: Ending | null = null;
    if (sequence.state === 'finished') {
      // vLLM's engine knows nothing of tools.
      metrics.ended(sequence, answer.finishReason === 'length' ? 'length' : 'stop', nowMs);
      const { finishReason, stopReason } = answer;
      ending = { finishReason, stopReason, promptTokens: request.inputTokens, completionTokens: sequence.generatedTokens };
    }
    request.reply.token(request.choice, answer.nextPiece(), ending);
  }

  /** Puts all into the engine, or none. */
  function begin(works: readonly Work[], priority: number, reply: Reply): Started {
    const sequences: GenerationSequence[] = [];
    for (const [choice, { inputTokens, outputLimit, answer }] of works.entries()) {
      const result = submit(engine, {
        inputTokens,
        outputTokens: answer.outputTokens,
        priority,
        answer,
        choice,
        reply,
        arrivedAtMs: performance.now(),
        scheduledAtMs: null,
        firstTokenAtMs: null,
        lastTokenAtMs: 0,
      });
      if (!result.accepted) {
        for (const sequence of sequences) abort(engine, sequence);
        return { ok: false, error: contextTooLong(inputTokens, outputLimit, result.rejection.limitTokens) };
      }
      sequences.push(result.sequence);
    }
    reply.begin();
    wake();
    return { ok: true, sequences };
  }

  return {
    metrics,
    start(request, reply) {
      const roomTokens = settings.engine.maxContextTokens - request.inputTokens;
      const limitTokens = request.maxTokens ?? roomTokens;
      if (roomTokens < Math.max(1, limitTokens)) {
        return { ok: false, error: contextTooLong(request.inputTokens, request.maxTokens, settings.engine.maxContextTokens) };
      }
      if (request.minTokens > limitTokens) {
        const message = `min_tokens must be less than or equal to max_tokens=${limitTokens}, got ${request.minTokens}.`;
        return { ok: false, error: badRequest(message, 'min_tokens') };
      }
      const works = Array.from({ length: request.choices }, (_, choice) => ({
        inputTokens: request.inputTokens,
        outputLimit: request.maxTokens,
        answer: planAnswer(request, answerSeed, limitTokens, faults.outputFactor, choice),
      }));
      return begin(works, request.priority, reply);
    },
    embed({ inputs, priority }, reply) {
      const { maxContextTokens } = settings.engine;
      const tooLong = inputs.find(({ inputTokens }) => inputTokens >= maxContextTokens);
      if (tooLong) return { ok: false, error: contextTooLong(tooLong.inputTokens, null, maxContextTokens) };
      const works = inputs.map(({ inputTokens }) => ({ inputTokens, outputLimit: null, answer: NO_ANSWER }));
      return begin(works, priority, reply);
    },
    faultsChanged() {
      const { preempted, lost } = resizeKvCache(engine, settings.engine.kvCacheTokens * faults.kvFactor);
      metrics.preempted(preempted);
      for (const sequence of lost) {
        metrics.ended(sequence, 'abort', performance.now());
        sequence.request.reply.fail(unavailable('The KV cache can no longer hold this request.'));
      }
    },
    cancel(sequence) {
      if (abort(engine, sequence)) metrics.ended(sequence, 'abort', performance.now());
    },
  };
}

/** As PyTorch says it in vLLM's log. */
function outOfMemory(kvUsage: number): string {
  return `torch.OutOfMemoryError: CUDA out of memory. Tried to allocate 2.00 GiB (simulated, with ${Math.round(100 * kvUsage)} % of the KV cache in use)`;
}

interface Work {
  inputTokens: number;
  /** What the client allows; null for no limit. */
  outputLimit: number | null;
  answer: Answer;
}

function contextTooLong(inputTokens: number, outputLimit: number | null, limitTokens: number): ApiError {
  const outputTokens = outputLimit ?? 1;
  return badRequest(
    `This model's maximum context length is ${limitTokens} tokens. However, you requested ${outputTokens} output tokens and your prompt ` +
      `contains ${inputTokens} input tokens, for a total of ${inputTokens + outputTokens} tokens. ` +
      'Please reduce the length of the input prompt or the number of requested output tokens.',
    outputLimit === null || inputTokens >= limitTokens ? 'input_tokens' : 'max_tokens',
  );
}
