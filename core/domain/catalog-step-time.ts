/**
 * Step times from catalog figures: bytes over bandwidth, operations over peak throughput, all-reduces over links.
 *
 * The constants are fitted to the measured shapes (five NVIDIA kinds, dense models in bf16); with one kind left out at a time, its
 * decode steps come within 12 % and its prefill within 16 % at the mean. What nothing was measured for is taken on the careful side and
 * says so.
 */
import type { AcceleratorKind } from './accelerators.ts';
import { SLOW_LINK_BYTES_PER_SECOND } from './links.ts';
import type { ModelShape } from './model-spec.ts';
import type { StepTimeCoefficients } from './step-time.ts';
import { MS_PER_SECOND } from './units.ts';

/** Shares of the peak that reading weights, reading the KV cache and attention over a chunk reach. */
const WEIGHTS_BANDWIDTH_SHARE = 0.83;
const KV_BANDWIDTH_SHARE = 0.86;
const ATTENTION_COMPUTE_SHARE = 0.65;
/** Times the ideal time of a token's operations: beside the reading of weights (`ra`), and again on top of it (`rc`, `d1`). */
const COMPUTE_FACTOR = 0.68;
/** Launching a layer's kernels. */
export const LAYER_SECONDS = 25e-6;

/** Latency of one all-reduce, and of each accelerator after the second. Two of them a layer. */
const ALL_REDUCE_SECONDS = 9.6e-6;
const ALL_REDUCE_SECONDS_MORE = 0.9e-6;

/**
 * Shares of a link's bandwidth that an all-reduce of 2, of 3 or 4, and of more accelerators reaches, by how fast the link is. PCIe 4 (L40S)
 * collapses where the way leads through both sockets; PCIe 5 (RTX PRO 6000) much less; NVLink does not care.
 */
const ALL_REDUCE_SHARES: readonly { below: number; shares: readonly [number, number, number] }[] = [
  { below: SLOW_LINK_BYTES_PER_SECOND, shares: [0.46, 0.11, 0.045] },
  { below: 100e9, shares: [0.75, 0.4, 0.3] },
  { below: Number.POSITIVE_INFINITY, shares: [0.5, 0.5, 0.5] },
];
/** Where the catalog knows of no link. */
const UNKNOWN_LINK_BYTES_PER_SECOND = 16e9;

/**
 * What other makers' cards and software reach beside NVIDIA's: of bandwidth, and of their links. From MI300X (vLLM 0.10, 70B and 405B
 * in fp8 over 8), the only one that figures are published for.
 */
const OTHER_VENDOR_BANDWIDTH = 0.78;
const OTHER_VENDOR_LINK = 0.26;

/** Cards below 100 W (T4, L4) do not hold their peak. From Helix's profiles of both. */
const LOW_POWER_WATTS = 100;
const LOW_POWER_COMPUTE = 0.55;

/** Kinds with fp8 units; all others, and kinds of an installation's own file, compute fp8 weights in 16 bits, as all do with int4. */
const FP8_KINDS: ReadonlySet<string> = new Set([
  'L4',
  'L40S',
  'RTX4090',
  'RTXPRO6000-SE',
  'H100-SXM',
  'H200-SXM',
  'B200-SXM',
  'MI300X',
  'Gaudi2',
  'Gaudi3',
]);
/** Twice on paper; activations have to be quantised on the way. An assumption. */
const FP8_SPEEDUP = 1.6;

/** Grouped multiplications of a mixture's experts reach half of what dense ones do. An assumption. */
const EXPERT_COMPUTE_FACTOR = 2;

/**
 * The batch at which the reading of a mixture's experts is exact. A batch of B is expected to touch the share 1 - (1 - k/E)^B of them
 * with k of E for a token; the form of a step is linear in B, so it gets the tangent at this batch. A tangent lies above the curve
 * everywhere else: a lone sequence is predicted too slow (up to all experts where one in 16 is active), never too fast.
 */
const MIXTURE_BATCH = 64;

/** Windows up to this count with each sequence whole; longer ones save too little at usual lengths: their layers count as if they saw all. */
const SHORT_WINDOW_TOKENS = 2048;

/** All coefficients but the scheduling overhead, ms. */
export function catalogCoefficients(
  model: ModelShape,
  accelerator: AcceleratorKind,
  tensorParallel: number,
  linkBytesPerSecond = accelerator.linkBandwidthBytesPerSecond ?? UNKNOWN_LINK_BYTES_PER_SECOND,
): Omit<StepTimeCoefficients, 'o'> {
  const bandwidth = accelerator.memoryBandwidthBytesPerSecond * (isNvidia(accelerator) ? 1 : OTHER_VENDOR_BANDWIDTH);
  const flops = flopsPerSecond(model, accelerator) * tensorParallel;
  const weights = weightsRead(model);
  const kv = kvRead(model);
  const weightsMs = (bytes: number) => (bytes / (bandwidth * WEIGHTS_BANDWIDTH_SHARE * tensorParallel)) * MS_PER_SECOND;
  const kvMs = (bytes: number) => (bytes / (bandwidth * KV_BANDWIDTH_SHARE * Math.min(tensorParallel, model.kvHeads))) * MS_PER_SECOND;
  const computeMs = (operationsPerToken(model) / flops) * COMPUTE_FACTOR * MS_PER_SECOND;
  const reduced = allReduces(model, accelerator, tensorParallel, linkBytesPerSecond);
  return {
    d0: weightsMs(weights.bytes) + model.layers * LAYER_SECONDS * MS_PER_SECOND + reduced.msPerStep,
    d1: computeMs + reduced.msPerToken + weightsMs(weights.bytesPerSequence) + kvMs(kv.bytesPerSequence),
    d2: kvMs(kv.bytesPerToken),
    ra: computeMs,
    rc: computeMs + reduced.msPerToken,
    rb: ((2 * model.layers * model.attentionHeads * model.headDim) / (flops * ATTENTION_COMPUTE_SHARE)) * MS_PER_SECOND,
  };
}

function isNvidia({ vendor }: AcceleratorKind): boolean {
  return vendor === 'NVIDIA';
}

function flopsPerSecond(model: ModelShape, { id, bf16FlopsPerSecond, powerWatts }: AcceleratorKind): number {
  const held = powerWatts !== null && powerWatts < LOW_POWER_WATTS ? LOW_POWER_COMPUTE : 1;
  return bf16FlopsPerSecond * held * (model.fp8Compute && FP8_KINDS.has(id) ? FP8_SPEEDUP : 1);
}

/** Two a parameter. */
function operationsPerToken({ activeParameters, routedExperts }: ModelShape): number {
  const routed = routedExperts ? (routedExperts.parameters * routedExperts.perToken) / routedExperts.perLayer : 0;
  return 2 * (activeParameters + (EXPERT_COMPUTE_FACTOR - 1) * routed);
}

/** Weights that a step reads, and how many more with each sequence. */
function weightsRead({ weightsBytes, routedExperts }: ModelShape): { bytes: number; bytesPerSequence: number } {
  if (!routedExperts) return { bytes: weightsBytes, bytesPerSequence: 0 };
  const missed = 1 - routedExperts.perToken / routedExperts.perLayer;
  const untouched = missed ** MIXTURE_BATCH;
  const slope = missed > 0 ? -Math.log(missed) * untouched : 0;
  const touched = 1 - untouched - slope * MIXTURE_BATCH;
  return {
    bytes: weightsBytes - routedExperts.weightsBytes * (1 - touched),
    bytesPerSequence: routedExperts.weightsBytes * slope,
  };
}

function kvRead({ kvBytesPerToken, slidingWindow }: ModelShape): { bytesPerToken: number; bytesPerSequence: number } {
  if (!slidingWindow || slidingWindow.tokens > SHORT_WINDOW_TOKENS) return { bytesPerToken: kvBytesPerToken, bytesPerSequence: 0 };
  return {
    bytesPerToken: kvBytesPerToken * (1 - slidingWindow.share),
    bytesPerSequence: kvBytesPerToken * slidingWindow.share * slidingWindow.tokens,
  };
}

/** Rings: each accelerator sends 2 (n - 1) / n of every 16-bit hidden state, twice a layer. */
export function allReduces(
  { layers, hiddenSize }: ModelShape,
  accelerator: AcceleratorKind,
  tensorParallel: number,
  linkBytesPerSecond: number,
): { msPerStep: number; msPerToken: number } {
  if (tensorParallel === 1) return { msPerStep: 0, msPerToken: 0 };
  const { shares } = ALL_REDUCE_SHARES.find(({ below }) => linkBytesPerSecond < below)!;
  const share = shares[tensorParallel <= 2 ? 0 : tensorParallel <= 4 ? 1 : 2] * (isNvidia(accelerator) ? 1 : OTHER_VENDOR_LINK);
  const bytesPerToken = (2 * layers * hiddenSize * 2 * 2 * (tensorParallel - 1)) / tensorParallel;
  return {
    msPerStep: 2 * layers * (ALL_REDUCE_SECONDS + (tensorParallel - 2) * ALL_REDUCE_SECONDS_MORE) * MS_PER_SECOND,
    msPerToken: (bytesPerToken / (linkBytesPerSecond * share)) * MS_PER_SECOND,
  };
}
