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
import type { ModelShape } from './model-spec.ts';

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

/** The coefficients of steps that take so many times as long. */
export function multiplied({ d0, d1, d2, ra, rc, rb, o }: StepTimeCoefficients, factor: number): StepTimeCoefficients {
  return { d0: d0 * factor, d1: d1 * factor, d2: d2 * factor, ra: ra * factor, rc: rc * factor, rb: rb * factor, o: o * factor };
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

type Row = [
  accelerator: string,
  model: string,
  tensorParallel: number,
  d0: number,
  d1: number,
  d2: number,
  ra: number,
  rc: number,
  rb: number,
];

/** Measured shapes, bf16, vLLM. Source: fitted to aiconfigurator 0.12.0's operator tables (Apache-2.0). */
const MEASURED: readonly Row[] = [
  // accelerator, model, tp, d0, d1, d2, ra, rc, rb
  ['A100-80G-SXM', 'qwen3-32b', 1, 43.58, 0.1101, 0.0001654, 0.1489, 0.09256, 4.199e-6],
  ['A100-80G-SXM', 'qwen3-32b', 2, 24.4, 0.09183, 8.752e-5, 0.01468, 0.1157, 2.66e-6],
  ['A100-80G-SXM', 'qwen3-32b', 4, 14.4, 0.04835, 4.494e-5, 0.0203, 0.06005, 6.529e-7],
  ['A100-80G-SXM', 'llama-3.1-70b', 4, 27.52, 0.103, 5.61e-5, 0.007357, 0.1457, 1.711e-6],
  ['A100-80G-SXM', 'llama-3.1-70b', 8, 17.15, 0.07167, 2.776e-5, 1.671e-7, 0.09797, 4.065e-7],
  ['A100-80G-SXM', 'llama-3.1-8b', 1, 11.42, 0.03868, 8.218e-5, 0.01022, 0.04767, 1.287e-6],
  ['A100-80G-SXM', 'llama-3.1-8b', 2, 6.62, 0.02249, 4.405e-5, 0.01173, 0.02406, 4.205e-7],
  ['B200-SXM', 'qwen3-32b', 1, 12.49, 0.01392, 3.655e-5, 0.03403, 0.01138, 7.404e-7],
  ['B200-SXM', 'qwen3-32b', 2, 7.871, 0.01986, 1.83e-5, 0.004022, 0.02187, 4.125e-7],
  ['B200-SXM', 'qwen3-32b', 4, 5.665, 0.01446, 9.609e-6, 2.437e-6, 0.01446, 2.264e-7],
  ['B200-SXM', 'llama-3.1-70b', 1, 23.79, 0.02695, 4.615e-5, 0.08018, 0.01182, 1.406e-6],
  ['B200-SXM', 'llama-3.1-70b', 2, 14.24, 0.03396, 2.31e-5, 0.0184, 0.03645, 5.702e-7],
  ['B200-SXM', 'llama-3.1-70b', 4, 9.045, 0.02564, 1.216e-5, 0.006945, 0.02599, 2.867e-7],
  ['B200-SXM', 'llama-3.1-70b', 8, 7.146, 0.01616, 6.751e-6, 0.006438, 0.01653, 0],
  ['B200-SXM', 'llama-3.1-8b', 1, 3.389, 0.005231, 1.79e-5, 0.005649, 0.004823, 1.894e-7],
  ['B200-SXM', 'llama-3.1-8b', 2, 2.663, 0.006173, 8.988e-6, 0.0002183, 0.006337, 9.836e-8],
  ['H100-SXM', 'qwen3-32b', 1, 25.18, 0.03212, 8.359e-5, 0.07875, 0.01186, 1.696e-6],
  ['H100-SXM', 'qwen3-32b', 2, 13.6, 0.02457, 4.233e-5, 0.03462, 0.01731, 7.189e-7],
  ['H100-SXM', 'qwen3-32b', 4, 8.283, 0.02016, 2.144e-5, 0.01098, 0.02034, 2.667e-7],
  ['H100-SXM', 'llama-3.1-70b', 4, 15.18, 0.0324, 2.661e-5, 0.03438, 0.02985, 3.197e-7],
  ['H100-SXM', 'llama-3.1-70b', 8, 9.897, 0.02706, 1.352e-5, 0.01422, 0.02711, 0],
  ['H100-SXM', 'llama-3.1-8b', 1, 6.374, 0.01139, 4.138e-5, 0.01482, 0.005991, 3.913e-7],
  ['H100-SXM', 'llama-3.1-8b', 2, 3.97, 0.007913, 2.076e-5, 0.007156, 0.006415, 1.3e-7],
  ['H200-SXM', 'qwen3-32b', 1, 18.97, 0.03746, 5.948e-5, 0.07584, 0.01405, 1.508e-6],
  ['H200-SXM', 'qwen3-32b', 2, 10.71, 0.02469, 2.945e-5, 0.02833, 0.02251, 8.497e-7],
  ['H200-SXM', 'qwen3-32b', 4, 6.894, 0.0182, 1.52e-5, 0.01104, 0.0201, 3.279e-7],
  ['H200-SXM', 'llama-3.1-70b', 2, 20.82, 0.03952, 3.611e-5, 0.0864, 0.02035, 1.367e-6],
  ['H200-SXM', 'llama-3.1-70b', 4, 12.12, 0.03275, 1.848e-5, 0.02967, 0.03344, 6.211e-7],
  ['H200-SXM', 'llama-3.1-70b', 8, 8.115, 0.02658, 9.728e-6, 0.01184, 0.02781, 1.703e-7],
  ['H200-SXM', 'llama-3.1-8b', 1, 4.907, 0.01239, 2.942e-5, 0.01432, 0.006436, 3.964e-7],
  ['H200-SXM', 'llama-3.1-8b', 2, 3.309, 0.008432, 1.465e-5, 0.006079, 0.007133, 1.362e-7],
  ['L40S', 'qwen3-32b', 2, 48.4, 0.1439, 0.0001899, 0.1019, 0.1191, 5.038e-6],
  ['L40S', 'qwen3-32b', 4, 27.03, 0.5275, 8.885e-5, 0.1187, 0.5007, 1.169e-6],
  ['L40S', 'llama-3.1-70b', 4, 55.04, 1.085, 0.0001103, 0.1566, 1.073, 4.285e-6],
  ['L40S', 'llama-3.1-70b', 8, 28.71, 2.182, 3.823e-5, 1.268, 1.217, 1.11e-8],
  ['L40S', 'llama-3.1-8b', 1, 22.32, 0.03569, 0.0001901, 0.04902, 0.01901, 2.163e-6],
  ['L40S', 'llama-3.1-8b', 2, 11.9, 0.04354, 9.403e-5, 0.02193, 0.04213, 9.062e-7],
  ['RTXPRO6000-SE', 'qwen3-32b', 1, 44.8, 0.07414, 0.0001744, 0.09793, 0.07314, 2.907e-6],
  ['RTXPRO6000-SE', 'qwen3-32b', 2, 23.97, 0.06633, 8.794e-5, 0.06423, 0.06305, 9.65e-7],
  ['RTXPRO6000-SE', 'qwen3-32b', 4, 14.67, 0.1081, 4.559e-5, 0.02252, 0.09661, 3.088e-7],
  ['RTXPRO6000-SE', 'llama-3.1-70b', 2, 49.42, 0.1235, 0.0001098, 0.1448, 0.1152, 1.334e-6],
  ['RTXPRO6000-SE', 'llama-3.1-70b', 4, 28.97, 0.189, 5.737e-5, 0.07599, 0.1652, 0],
  ['RTXPRO6000-SE', 'llama-3.1-70b', 8, 18.88, 0.2458, 3.2e-5, 0.05763, 0.1972, 0],
  ['RTXPRO6000-SE', 'llama-3.1-8b', 1, 10.89, 0.01765, 8.626e-5, 0.01785, 0.02284, 6.786e-7],
  ['RTXPRO6000-SE', 'llama-3.1-8b', 2, 6.093, 0.02284, 4.3e-5, 0.01303, 0.02444, 1.528e-7],
];

/** The coefficients measured for a known model, or undefined. */
export function measuredStepTime(model: string, accelerator: string, tensorParallel: number): StepTimeProfile | undefined {
  const row = MEASURED.find((r) => r[0] === accelerator && r[1] === model && r[2] === tensorParallel);
  if (!row) return undefined;
  const [, , , d0, d1, d2, ra, rc, rb] = row;
  return { model, accelerator, tensorParallel, source: 'measured', coefficients: { d0, d1, d2, ra, rc, rb, o: DEFAULT_STEP_OVERHEAD_MS } };
}

/** Shares of the peak that the measured shapes reach at the median. */
const BANDWIDTH_EFFICIENCY = 0.77;
const COMPUTE_EFFICIENCY = 0.72;
/** Two all-reduces a layer: a fixed latency each, beside the bytes. */
const ALL_REDUCE_LATENCY_SECONDS = 10e-6;

/**
 * Coefficients from catalog figures alone, for shapes that nobody measured: weights and KV cache are read at the accelerator's
 * bandwidth, tokens cost two operations a parameter, tensor parallelism adds two all-reduces a layer over the given link.
 */
export function derivedStepTime(
  model: ModelShape,
  accelerator: AcceleratorKind,
  tensorParallel: number,
  linkBandwidthBytesPerSecond?: number,
): StepTimeProfile {
  const bandwidth = accelerator.memoryBandwidthBytesPerSecond * BANDWIDTH_EFFICIENCY * tensorParallel;
  const flops = accelerator.bf16FlopsPerSecond * COMPUTE_EFFICIENCY * tensorParallel;
  const link = linkBandwidthBytesPerSecond ?? accelerator.linkBandwidthBytesPerSecond ?? 16e9;
  const spans = tensorParallel > 1 ? 2 * model.layers : 0;
  const reducedBytesPerToken = (spans * model.hiddenSize * 2 * (2 * (tensorParallel - 1))) / tensorParallel;
  const communicationMs = (reducedBytesPerToken / link) * 1000;
  const computeMs = ((2 * model.activeParameters) / flops) * 1000;
  return {
    model: model.name,
    accelerator: accelerator.id,
    tensorParallel,
    source: 'derived',
    coefficients: {
      d0: (model.weightsBytes / bandwidth) * 1000 + spans * ALL_REDUCE_LATENCY_SECONDS * 1000,
      d1: communicationMs + 0.01,
      d2: (model.kvBytesPerToken / bandwidth) * 1000,
      ra: computeMs,
      rc: communicationMs + computeMs * 0.3,
      rb: ((2 * model.layers * model.attentionHeads * model.headDim) / flops) * 1000,
      o: DEFAULT_STEP_OVERHEAD_MS,
    },
  };
}

/** The best known prior: measured where someone measured, else derived. Calibration on a live replica replaces it. */
export function priorStepTime(model: ModelShape, accelerator: AcceleratorKind, tensorParallel: number): StepTimeProfile {
  return measuredStepTime(model.name, accelerator.id, tensorParallel) ?? derivedStepTime(model, accelerator, tensorParallel);
}
