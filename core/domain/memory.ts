/** What fits into accelerator memory: KV cache beside the weights. Placement, the profiler and engine specs all ask here. */
import type { AcceleratorKind } from './accelerators.ts';
import type { ModelShape } from './model-spec.ts';
import { GIB } from './units.ts';

/** Activations, CUDA context, graphs and communication buffers of one accelerator. */
export const OVERHEAD_BYTES_PER_ACCELERATOR = 2 * GIB;

/** Share of an accelerator's memory that an engine takes: vLLM's `--gpu-memory-utilization`, same default. */
export const DEFAULT_MEMORY_UTILISATION = 0.9;

/** Tokens are kept in blocks of this many; a part of a block cannot be shared out. vLLM's default. */
export const KV_BLOCK_TOKENS = 16;

/** Bytes of KV cache that `tokens` tokens of context take, over all accelerators of an unsharded replica. */
export function kvBytes(shape: ModelShape, tokens: number): number {
  return shape.kvBytesPerToken * tokens;
}

/**
 * Tokens that the KV cache of one replica holds, in whole blocks; 0 where the weights alone do not fit.
 *
 * Weights are split evenly over the accelerators. KV heads are split too, until there are more accelerators than KV heads:
 * from there on each holds a copy of one head, and the cache stops growing with width.
 * @param memoryUtilisation share of each accelerator's memory that the engine may take, 0 to 1
 */
export function kvCacheTokens(
  shape: ModelShape,
  accelerator: AcceleratorKind,
  tensorParallel: number,
  { memoryUtilisation = DEFAULT_MEMORY_UTILISATION }: { memoryUtilisation?: number } = {},
): number {
  const usable = accelerator.memoryBytes * memoryUtilisation - OVERHEAD_BYTES_PER_ACCELERATOR;
  const free = usable - shape.weightsBytes / tensorParallel;
  const bytesPerToken = shape.kvBytesPerToken / Math.min(tensorParallel, shape.kvHeads);
  return Math.max(0, Math.floor(free / bytesPerToken / KV_BLOCK_TOKENS)) * KV_BLOCK_TOKENS;
}
