/** Did an engine end for want of memory? Read from how it exited and from what it wrote: no engine has an exit code of its own for it. */

const TELLING: readonly RegExp[] = [
  // The kernel's out-of-memory killer; 137 is how a container's command reports it.
  /\bexited with (SIGKILL|code 137)\b/,
  // PyTorch, which vLLM and TensorRT-LLM's Python run on; on AMD it says HIP.
  /\b(CUDA|HIP) out of memory\b/i,
  /\btorch(\.cuda)?\.OutOfMemoryError\b/,
  /\bcudaErrorMemoryAllocation\b/,
  // vLLM, where the weights leave no room. Source: vLLM `v1/core/kv_cache_utils.py`.
  /No available memory for the cache blocks/,
];

/**
 * The first line of these that says so; null where none does.
 * @param text how it exited, and its log or a part of it
 */
export function outOfMemoryLine(text: string): string | null {
  const line = text.split('\n').find((l) => TELLING.some((pattern) => pattern.test(l)));
  return line?.replace(/; its log ends with:$/, '') ?? null;
}
