/** What a model takes and how fast its steps are on each accelerator kind and width: the profile stage of a deployment. */
import { acceleratorKind } from '../domain/accelerators.ts';
import { kvCacheTokens } from '../domain/memory.ts';
import type { ModelShape } from '../domain/model-spec.ts';
import {
  decodeStepMs,
  prefillMs,
  priorStepTime,
  type StepTimeCoefficients,
  type StepTimeProfile,
  type StepTimeSource,
} from '../domain/step-time.ts';

export interface ShapeProfile {
  /** Accelerator kind's id. */
  accelerator: string;
  tensorParallel: number;
  /** Tokens that fit beside the weights; 0 where the weights do not fit. */
  kvCacheTokens: number;
  source: StepTimeSource;
  coefficients: StepTimeCoefficients;
  /** One decode step at the reference load. */
  decodeStepMs: number;
  /** Prefill of a reference prompt alone. */
  prefillMs: number;
}

/** For comparing shapes by eye: 32 sequences at the mean context of the Azure 2023 conversation trace (CC-BY-4.0), and its mean prompt. */
export const REFERENCE_LOAD = { sequences: 32, contextTokens: 32 * 1260, promptTokens: 1155 };

/** How many times as long a decode step at the reference load takes by the one as by the other. */
export function decodeStepRatio(a: StepTimeCoefficients, b: StepTimeCoefficients): number {
  const { sequences, contextTokens } = REFERENCE_LOAD;
  return decodeStepMs(a, sequences, contextTokens) / decodeStepMs(b, sequences, contextTokens);
}

/** Few sequences, the reference load, many and long ones; a prompt in one chunk, and one in two. */
const COMPARED: readonly ((c: StepTimeCoefficients) => number)[] = [
  (c) => decodeStepMs(c, 4, 4 * REFERENCE_LOAD.promptTokens),
  (c) => decodeStepMs(c, REFERENCE_LOAD.sequences, REFERENCE_LOAD.contextTokens),
  (c) => decodeStepMs(c, 2 * REFERENCE_LOAD.sequences, 4 * REFERENCE_LOAD.contextTokens),
  (c) => prefillMs(c, REFERENCE_LOAD.promptTokens),
  (c) => prefillMs(c, 3 * REFERENCE_LOAD.promptTokens),
];

/** Of the loads that are compared, the ratio of step times by `a` and by `b` that is furthest from 1. */
export function furthestRatio(a: StepTimeCoefficients, b: StepTimeCoefficients): number {
  let furthest = 1;
  for (const ms of COMPARED) {
    const ratio = ms(a) / ms(b);
    if (Math.abs(Math.log(ratio)) > Math.abs(Math.log(furthest))) furthest = ratio;
  }
  return furthest;
}

/** To the last digits: a database keeps numbers, not how they were computed. */
export function areSameCoefficients(a: StepTimeCoefficients, b: StepTimeCoefficients): boolean {
  return (Object.keys(a) as (keyof StepTimeCoefficients)[]).every((name) => Math.abs(a[name] - b[name]) <= 1e-9 * Math.abs(a[name]));
}

const WIDTHS = [1, 2, 4, 8];

/**
 * Profiles a model on every width of every given accelerator kind, in that order; widths that do not divide its attention heads are
 * left out. Calibrated coefficients serve where a replica was measured, the catalog's prior for the rest.
 * @param kinds ids or aliases
 * @throws not-found for an accelerator kind that the catalog does not have
 */
export function profileShapes(model: ModelShape, kinds: readonly string[], calibrated: readonly StepTimeProfile[]): ShapeProfile[] {
  return kinds.flatMap((name) => {
    const accelerator = acceleratorKind(name);
    return WIDTHS.filter((width) => model.attentionHeads % width === 0).map((tensorParallel): ShapeProfile => {
      const measured = calibrated.find(
        (p) => p.model === model.name && p.accelerator === accelerator.id && p.tensorParallel === tensorParallel,
      );
      const { source, coefficients } = measured ?? priorStepTime(model, accelerator, tensorParallel);
      return {
        accelerator: accelerator.id,
        tensorParallel,
        kvCacheTokens: kvCacheTokens(model, accelerator, tensorParallel),
        source,
        coefficients,
        decodeStepMs: decodeStepMs(coefficients, REFERENCE_LOAD.sequences, REFERENCE_LOAD.contextTokens),
        prefillMs: prefillMs(coefficients, REFERENCE_LOAD.promptTokens),
      };
    });
  });
}
