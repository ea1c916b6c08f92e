/** What a replica keeps in the memory of its accelerators, as far as anything says. */
import type { AcceleratorKind } from './accelerators.ts';
import type { ModelShape } from './model-spec.ts';

/** Bytes on each accelerator. */
export interface ReplicaMemory {
  weightsBytes: number;
  /** What the engine has set aside for contexts; null where it has not said. */
  kvCacheBytes: number | null;
}

/**
 * Weights are spread evenly; so is the cache, until there are more accelerators than KV heads (`memory.ts`). A cache in 8-bit floats holds
 * twice the tokens: no more is shown than there is room for.
 */
export function replicaMemory(
  shape: Pick<ModelShape, 'weightsBytes' | 'kvBytesPerToken' | 'kvHeads'>,
  accelerators: number,
  kvCacheTokens: number | null,
  { memoryBytes }: Pick<AcceleratorKind, 'memoryBytes'>,
): ReplicaMemory {
  const weightsBytes = Math.min(memoryBytes, shape.weightsBytes / accelerators);
  const wanted = kvCacheTokens === null ? null : (kvCacheTokens * shape.kvBytesPerToken) / Math.min(accelerators, shape.kvHeads);
  return { weightsBytes, kvCacheBytes: wanted === null ? null : Math.min(wanted, memoryBytes - weightsBytes) };
}
