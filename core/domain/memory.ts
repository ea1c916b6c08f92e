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

/** What an engine may be told about its memory. */
export interface MemorySettings {
  /** Share of each accelerator's memory that the engine may take, 0 to 1. */
  memoryUtilisation?: number;
  /** Bytes of one cached value: 2, or 1 with a cache in 8-bit floats. */
  kvValueBytes?: 1 | 2;
  /** Sequences that run at once. */
  maxSequences?: number;
}

/** vLLM's default. */
export const DEFAULT_MAX_SEQUENCES = 256;
/** Tokens that prefill adds to windows before the step's end lets them go. vLLM's default budget of a step. */
const PREFILL_TOKENS = 2048;
const FP8_CACHES: readonly unknown[] = ['fp8', 'fp8_e4m3', 'fp8_e5m2', 'fp8_inc'];

/** The settings among an engine's flags; a value that makes no sense counts as the default. */
export function memorySettings(args: Readonly<Record<string, string | number | boolean>>): MemorySettings {
  const utilisation = Number(args['gpu-memory-utilization']);
  const sequences = Number(args['max-num-seqs']);
  return {
    ...(utilisation > 0 && utilisation <= 1 ? { memoryUtilisation: utilisation } : {}),
    ...(Number.isInteger(sequences) && sequences > 0 ? { maxSequences: sequences } : {}),
    ...(FP8_CACHES.includes(args['kv-cache-dtype']) ? { kvValueBytes: 1 } : {}),
  };
}

/**
 * Tokens that the KV cache of one replica holds, in whole blocks; 0 where the weights alone do not fit.
 *
 * Weights are split evenly over the accelerators. KV heads are split too, until there are more accelerators than KV heads (MLA counts as
 * one): from there on each holds a copy, and the cache stops growing with width. Layers that slide hold each token until every sequence's
 * window is full, and no more from there on: what is promised holds whichever way the tokens are spread over sequences. An engine that
 * keeps whole contexts for them, as some do, holds less.
 */
export function kvCacheTokens(
  shape: ModelShape,
  accelerator: AcceleratorKind,
  tensorParallel: number,
  { memoryUtilisation = DEFAULT_MEMORY_UTILISATION, kvValueBytes = 2, maxSequences = DEFAULT_MAX_SEQUENCES }: MemorySettings = {},
): number {
  const usable = accelerator.memoryBytes * memoryUtilisation - OVERHEAD_BYTES_PER_ACCELERATOR;
  const free = usable - shape.weightsBytes / tensorParallel;
  const bytesPerToken = (shape.kvBytesPerToken * kvValueBytes) / 2 / Math.min(tensorParallel, shape.kvHeads);
  const blocks = (tokens: number) => Math.max(0, Math.floor(tokens / KV_BLOCK_TOKENS)) * KV_BLOCK_TOKENS;
  if (!shape.slidingWindow) return blocks(free / bytesPerToken);
  const { tokens: window, share } = shape.slidingWindow;
  const windows = maxSequences * (window + KV_BLOCK_TOKENS) + PREFILL_TOKENS;
  const beyondWindows = (free - bytesPerToken * share * windows) / (bytesPerToken * (1 - share));
  return blocks(Math.max(free / bytesPerToken, beyondWindows));
}
