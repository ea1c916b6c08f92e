/**
 * What a pipeline of stages is worth as one engine, so that the capacity model and the simulator need not know of pipelines.
 *
 * vLLM keeps up to P microbatches in flight on P stages; sequences stay in the one they joined, and under steady arrivals share out evenly.
 * One step of the engine, a token for every sequence, is one round of all P microbatches. Decoding alone, the slowest stage sets the pace:
 * a round takes P times its step with a P-th of the load, which is never less than the way of one microbatch through all stages. A prompt
 * is in one microbatch at a time: it takes its time in every stage, and with at most P in flight the others wait for it. So in the form of
 * `step-time.ts`, every term at least what it costs, hand-overs never hidden behind work:
 *
 *   d0 = P max d0_i    d1 = max d1_i + (ms a token over all links) / P    d2 = max d2_i    o = P max o_i + sum of link latencies
 *   ra = sum ra_i      rc = sum rc_i + (ms a token over all links)        rb = sum rb_i
 *
 * Against an exact event simulation of the microbatches (the test's five pipelines, 32B and 70B on 2 to 4 stages): a decode step is -0.3 to
 * +4 % off, and up to +18 % where fewer sequences than stages decode on unequal stages or a stage is compute-bound. With chat prompts, the
 * rate at which TPOT stays within twice the unloaded one is 0.6 to 0.8 of the pipeline's, within four times 0.3 to 0.5: prompts that overlap
 * in different stages are not counted. The slowest stage's ra, rc and rb instead of the sums would promise 1.8 to 3.8 times too much.
 */
import type { AcceleratorKind } from '../../domain/accelerators.ts';
import type { Link } from '../../domain/links.ts';
import { kvCacheTokens, type MemorySettings } from '../../domain/memory.ts';
import type { ModelShape } from '../../domain/model-spec.ts';
import { multiplied, type StepTimeCoefficients } from '../../domain/step-time.ts';

/** Coefficients of a stage that has this share of the model's layers; a step's overhead does not shrink with them. */
export function stageStepTime(model: StepTimeCoefficients, shareOfLayers: number): StepTimeCoefficients {
  return { ...multiplied(model, shareOfLayers), o: model.o };
}

/** Activations that one stage hands to the next, bf16. */
export function activationBytes({ hiddenSize }: Pick<ModelShape, 'hiddenSize'>, tokens: number): number {
  return hiddenSize * 2 * tokens;
}

/** Handing so many bytes over, ms. */
export function transferMs({ latencySeconds, bandwidthBytesPerSecond }: Link, bytes: number): number {
  return (latencySeconds + bytes / bandwidthBytesPerSecond) * 1000;
}

/**
 * The coefficients of the pipeline as one engine.
 * @param stages one or more, of `stageStepTime`
 * @param links from each stage to the next: one fewer
 * @param bytesPerToken activations that are handed over
 */
export function pipelineStepTime(
  stages: readonly StepTimeCoefficients[],
  links: readonly Link[],
  bytesPerToken: number,
): StepTimeCoefficients {
  const slowest = (name: keyof StepTimeCoefficients) => Math.max(...stages.map((s) => s[name]));
  const sum = (name: keyof StepTimeCoefficients) => stages.reduce((total, s) => total + s[name], 0);
  const depth = stages.length;
  const latencyMs = links.reduce((sum, link) => sum + transferMs(link, 0), 0);
  const tokenMs = links.reduce((sum, link) => sum + transferMs(link, bytesPerToken), 0) - latencyMs;
  return {
    d0: depth * slowest('d0'),
    d1: slowest('d1') + tokenMs / depth,
    d2: slowest('d2'),
    ra: sum('ra'),
    rc: sum('rc') + tokenMs,
    rb: sum('rb'),
    o: depth * slowest('o') + latencyMs,
  };
}

/** What of a model a stage holds, and on what. */
export interface StageMemory {
  accelerator: AcceleratorKind;
  tensorParallel: number;
  layers: number;
}

/** Tokens of context that a pipeline holds: as many as its fullest stage. 0 where the weights of some stage do not fit. */
export function pipelineKvCacheTokens(model: ModelShape, stages: readonly StageMemory[], settings?: MemorySettings): number {
  return Math.min(
    ...stages.map(({ accelerator, tensorParallel, layers }) => {
      const share = layers / model.layers;
      const held = { ...model, weightsBytes: model.weightsBytes * share, kvBytesPerToken: model.kvBytesPerToken * share };
      return kvCacheTokens(held, accelerator, tensorParallel, settings);
    }),
  );
}
