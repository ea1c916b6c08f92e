/**
 * How long one step of an engine with continuous batching takes. The form, fitted to composed operator measurements of vLLM
 * (aiconfigurator 0.12.0; decode error 1 to 9 % per shape), is
 *
 *   t = ((d0^4 + (ra N)^4)^(1/4) + rc Np + d1 B + d2 S + rb sum((kv+chunk)^2 - kv^2) + o   [ms]
 *
 * with N all tokens of the step, Np its prefill tokens, B decoding sequences, S the sum of their context lengths, kv the tokens
 * of a sequence prefilled before. d0 reads the weights, ra N is compute, d2 reads the KV cache, rb is attention over the chunk.
 */
import { z } from 'zod';
import type { AcceleratorKind } from './accelerators.ts';
import { catalogCoefficients } from './catalog-step-time.ts';
import { MEASURED } from './measured-step-times.ts';
import { KNOWN_CONFIGS, type ModelShape, modelShape } from './model-spec.ts';

export const stepTimeCoefficientsSchema = z.object({
  d0: z.number().nonnegative(),
  d1: z.number().nonnegative(),
  d2: z.number().nonnegative(),
  ra: z.number().nonnegative(),
  rc: z.number().nonnegative(),
  rb: z.number().nonnegative(),
  /** Scheduling overhead of a step, ms. */
  o: z.number().nonnegative(),
});
export type StepTimeCoefficients = z.infer<typeof stepTimeCoefficientsSchema>;
export type StepTimeTerm = keyof StepTimeCoefficients;

/** A number for each coefficient. */
export function eachTerm(of: (term: StepTimeTerm) => number): StepTimeCoefficients {
  return { d0: of('d0'), d1: of('d1'), d2: of('d2'), ra: of('ra'), rc: of('rc'), rb: of('rb'), o: of('o') };
}

/** Where coefficients come from, best first. */
export const stepTimeSourceSchema = z.enum(['calibrated', 'measured', 'derived']);
export type StepTimeSource = z.infer<typeof stepTimeSourceSchema>;

export const stepTimeProfileSchema = z.object({
  model: z.string(),
  accelerator: z.string(),
  tensorParallel: z.number().int().positive(),
  source: stepTimeSourceSchema,
  coefficients: stepTimeCoefficientsSchema,
});
export type StepTimeProfile = z.infer<typeof stepTimeProfileSchema>;

/** What one step works on. */
export interface StepLoad {
  prefillTokens: number;
  /** Sum over prefilled chunks of (kv + chunk)^2 - kv^2. */
  prefillSquares: number;
  decodeSequences: number;
  decodeContextTokens: number;
}

export const DEFAULT_STEP_OVERHEAD_MS = 1;

/** Duration of one step, ms. Allocates nothing: it runs millions of times a second in the simulator. */
export function stepTimeMs(c: StepTimeCoefficients, load: StepLoad): number {
  const compute = c.ra * (load.prefillTokens + load.decodeSequences);
  const d2 = c.d0 * c.d0;
  const c2 = compute * compute;
  return (
    Math.sqrt(Math.sqrt(d2 * d2 + c2 * c2)) +
    c.rc * load.prefillTokens +
    c.d1 * load.decodeSequences +
    c.d2 * load.decodeContextTokens +
    c.rb * load.prefillSquares +
    c.o
  );
}

/** The coefficients of steps that take so many times as long. @param factors one for all, or one for each */
export function multiplied(coefficients: StepTimeCoefficients, factors: number | StepTimeCoefficients): StepTimeCoefficients {
  return eachTerm((term) => coefficients[term] * (typeof factors === 'number' ? factors : factors[term]));
}

/**
 * What an engine did in some time at work, as whoever sends it requests has counted it. The step-time model is a sum of its coefficients
 * times these, but for reading weights beside computing, of which it is the slope at `stepTime`.
 */
export interface StepSample {
  /** How long it took. */
  ms: number;
  /** Steps that decoded, or that only prefilled. */
  steps: number;
  /** Sums over the steps: of decoding sequences, and of their contexts. */
  sequences: number;
  contextTokens: number;
  /** Of the prompts whose first token came: what they add to the steps. */
  prefillTokens: number;
  prefillSquares: number;
  /** Slopes of what computing them adds by `stepTime`: along ln(ra), and along ln(d0), which is negative. */
  computeMs: number;
  weightsMs: number;
}

/** Duration of a step that only decodes `sequences` sequences with `contextTokens` tokens of context in all, ms. */
export function decodeStepMs(c: StepTimeCoefficients, sequences: number, contextTokens: number): number {
  return stepTimeMs(c, { prefillTokens: 0, prefillSquares: 0, decodeSequences: sequences, decodeContextTokens: contextTokens });
}

/** Time to prefill a prompt alone on an idle engine in chunks of `chunkTokens`, ms. */
export function prefillMs(c: StepTimeCoefficients, inputTokens: number, chunkTokens = 2048): number {
  let total = 0;
  for (let done = 0; done < inputTokens; done += chunkTokens) {
    const chunk = Math.min(chunkTokens, inputTokens - done);
    total += stepTimeMs(c, {
      prefillTokens: chunk,
      prefillSquares: (done + chunk) ** 2 - done ** 2,
      decodeSequences: 0,
      decodeContextTokens: 0,
    });
  }
  return total;
}

/** What steps of a static batch take, ms. Both lengths are the padded ones: every member counts as the longest. */
export interface PaddedStepTime {
  prefillMs(sequences: number, inputTokens: number): number;
  decodeMs(sequences: number, contextTokens: number): number;
}

/** The same form over a padded batch; the prefill is one step, in no chunks. */
export function paddedStepTime(c: StepTimeCoefficients): PaddedStepTime {
  return {
    prefillMs: (sequences, inputTokens) =>
      stepTimeMs(c, {
        prefillTokens: sequences * inputTokens,
        prefillSquares: sequences * inputTokens ** 2,
        decodeSequences: 0,
        decodeContextTokens: 0,
      }),
    decodeMs: (sequences, contextTokens) => decodeStepMs(c, sequences, sequences * contextTokens),
  };
}

/** The coefficients measured for a model, by the name that it has in the table (a model of another name: `priorStepTime`), or undefined. */
export function measuredStepTime(model: string, accelerator: string, tensorParallel: number): StepTimeProfile | undefined {
  const row = MEASURED.find((r) => r[0] === accelerator && r[1] === model && r[2] === tensorParallel);
  if (!row) return undefined;
  const [, , , d0, d1, d2, ra, rc, rb] = row;
  return { model, accelerator, tensorParallel, source: 'measured', coefficients: { d0, d1, d2, ra, rc, rb, o: DEFAULT_STEP_OVERHEAD_MS } };
}

const MEASURED_SHAPES = [...new Set(MEASURED.map((row) => row[1]))].map((name) => modelShape(name, KNOWN_CONFIGS[name]!, 'bf16'));

/** Parameters may differ by this share: fine-tuned models come with a few tokens more in their vocabulary. */
const SAME_SIZE = 0.005;

/** The measured model of the same architecture and 16-bit weights, whatever either is called. */
function measuredLike(model: ModelShape): string | undefined {
  const exact = ['layers', 'hiddenSize', 'attentionHeads', 'kvHeads', 'headDim', 'kvBytesPerToken'] as const;
  const close = ['parameters', 'activeParameters', 'weightsBytes'] as const;
  return MEASURED_SHAPES.find(
    (measured) =>
      exact.every((field) => model[field] === measured[field]) &&
      close.every((field) => Math.abs(model[field] / measured[field] - 1) <= SAME_SIZE),
  )?.name;
}

/**
 * Coefficients from catalog figures alone, for shapes that nobody measured: see `catalogCoefficients`.
 * @param linkBandwidthBytesPerSecond between the accelerators, each direction; the catalog's where absent
 */
export function derivedStepTime(
  model: ModelShape,
  accelerator: AcceleratorKind,
  tensorParallel: number,
  linkBandwidthBytesPerSecond?: number,
): StepTimeProfile {
  const coefficients = catalogCoefficients(model, accelerator, tensorParallel, linkBandwidthBytesPerSecond);
  return {
    model: model.name,
    accelerator: accelerator.id,
    tensorParallel,
    source: 'derived',
    coefficients: { ...coefficients, o: DEFAULT_STEP_OVERHEAD_MS },
  };
}

/** The best known prior: measured where someone measured this architecture, else derived. Calibration on a live replica replaces it. */
export function priorStepTime(model: ModelShape, accelerator: AcceleratorKind, tensorParallel: number): StepTimeProfile {
  const like = measuredLike(model);
  const measured = like && measuredStepTime(like, accelerator.id, tensorParallel);
  return measured ? { ...measured, model: model.name } : derivedStepTime(model, accelerator, tensorParallel);
}
