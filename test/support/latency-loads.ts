/** Loads under which predicted latencies are compared with what a simulated engine does. */

export interface LatencyLoad {
  accelerator: string;
  /** Streams that have their first token already. */
  decoding: number;
  /** Prompts released before ours and not begun. */
  ahead: number[];
  inputTokens: number;
}

export const LATENCY_LOADS: readonly LatencyLoad[] = [
  { accelerator: 'H100-SXM', decoding: 0, ahead: [], inputTokens: 500 },
  { accelerator: 'H100-SXM', decoding: 0, ahead: [], inputTokens: 10_000 },
  { accelerator: 'H100-SXM', decoding: 64, ahead: [], inputTokens: 1155 },
  { accelerator: 'A100-80G-SXM', decoding: 32, ahead: [1000, 4000, 8000], inputTokens: 1155 },
  { accelerator: 'L40S', decoding: 100, ahead: [2000], inputTokens: 300 },
  { accelerator: 'L40S', decoding: 8, ahead: Array(20).fill(1155), inputTokens: 1155 },
];

export const ENGINE_LIMITS = {
  kvCacheTokens: 400_000,
  maxContextTokens: 131_072,
  maxSequences: 256,
  maxBatchedTokens: 2048,
  scheduling: 'fcfs' as const,
};
