/** Where the time of an engine's steps goes: the step-time model of `core/domain/step-time.ts`, term by term, and each term by what it waits for. */
import type { AcceleratorKind } from '../../domain/accelerators.ts';
import { allReduces, LAYER_SECONDS } from '../../domain/catalog-step-time.ts';
import type { ModelShape } from '../../domain/model-spec.ts';
import type { StepLoad, StepTimeCoefficients } from '../../domain/step-time.ts';
import { MS_PER_SECOND } from '../../domain/units.ts';

/**
 * What the time goes to; any one unit. `compute` is the operations of all tokens, `attention` that of prompts over what stands before them, `link`
 * the all-reduces between the accelerators of a replica, `host` scheduling and the launching of kernels.
 */
export interface StepTerms {
  weights: number;
  kvRead: number;
  compute: number;
  attention: number;
  link: number;
  host: number;
}
export const STEP_TERMS = ['weights', 'kvRead', 'compute', 'attention', 'link', 'host'] as const satisfies (keyof StepTerms)[];

/** Resources that take time: twice of one halves its terms. */
export type TimeResource = 'compute' | 'bandwidth' | 'link' | 'host';
export const TIME_RESOURCES: Readonly<Record<TimeResource, readonly (keyof StepTerms)[]>> = {
  compute: ['compute', 'attention'],
  bandwidth: ['weights', 'kvRead'],
  link: ['link'],
  host: ['host'],
};

/** Parts of the coefficients that no measurement tells apart from the rest, ms. */
export interface SplitStepTime {
  coefficients: StepTimeCoefficients;
  /** Of `d0`. */
  launchMs: number;
  linkMsPerStep: number;
  /** Of `rc`, and of `d1`. */
  linkMsPerPrefillToken: number;
  linkMsPerSequence: number;
}

/**
 * What the links and the launching of kernels take of the coefficients: as the catalog derives it, and never more than there is.
 * @param linkBytesPerSecond between the accelerators of the replica, each direction
 */
export function splitStepTime(
  coefficients: StepTimeCoefficients,
  model: ModelShape,
  accelerator: AcceleratorKind,
  tensorParallel: number,
  linkBytesPerSecond: number,
): SplitStepTime {
  const { msPerStep, msPerToken } = allReduces(model, accelerator, tensorParallel, linkBytesPerSecond);
  const { d0, d1, rc } = coefficients;
  const launchMs = Math.min(d0, model.layers * LAYER_SECONDS * MS_PER_SECOND);
  return {
    coefficients,
    launchMs,
    linkMsPerStep: Math.min(d0 - launchMs, msPerStep),
    linkMsPerPrefillToken: Math.min(rc, msPerToken),
    linkMsPerSequence: Math.min(d1, msPerToken),
  };
}

/** One step, ms. The terms add up to `stepTimeMs`; where reading weights and operations overlap, each has its share of the fourth powers. */
export function stepTerms(split: SplitStepTime, load: StepLoad): StepTerms {
  const { d0, d1, d2, ra, rc, rb, o } = split.coefficients;
  const operations = (ra * (load.prefillTokens + load.decodeSequences)) ** 4;
  const reading = d0 ** 4;
  const togetherMs = (reading + operations) ** 0.25;
  const ofReading = reading === 0 ? 0 : (togetherMs * reading) / (reading + operations) / d0;
  const linkMs = split.linkMsPerPrefillToken * load.prefillTokens + split.linkMsPerSequence * load.decodeSequences;
  return {
    weights: ofReading * (d0 - split.launchMs - split.linkMsPerStep),
    kvRead: d2 * load.decodeContextTokens,
    compute: togetherMs - ofReading * d0 + rc * load.prefillTokens + d1 * load.decodeSequences - linkMs,
    attention: rb * load.prefillSquares,
    link: ofReading * split.linkMsPerStep + linkMs,
    host: ofReading * split.launchMs + o,
  };
}

/** The coefficients with twice of one resource. */
export function withTwice(split: SplitStepTime, resource: TimeResource): StepTimeCoefficients {
  const { coefficients: c, launchMs, linkMsPerStep, linkMsPerPrefillToken, linkMsPerSequence } = split;
  switch (resource) {
    case 'compute':
      return { ...c, ra: c.ra / 2, rb: c.rb / 2, rc: (c.rc + linkMsPerPrefillToken) / 2, d1: (c.d1 + linkMsPerSequence) / 2 };
    case 'bandwidth':
      return { ...c, d0: (c.d0 + launchMs + linkMsPerStep) / 2, d2: c.d2 / 2 };
    case 'link':
      return { ...c, d0: c.d0 - linkMsPerStep / 2, rc: c.rc - linkMsPerPrefillToken / 2, d1: c.d1 - linkMsPerSequence / 2 };
    case 'host':
      return { ...c, d0: c.d0 - launchMs / 2, o: c.o / 2 };
  }
}
