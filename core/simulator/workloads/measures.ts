/** For the tests of this folder: what streams are compared by. */
import { mean, quantile } from '../../domain/statistics.ts';
import type { TraceRequest } from '../traces/rows.ts';

export { mean, quantile };

/** Standard deviation over mean. */
export function variation(values: readonly number[]): number {
  const center = mean(values);
  return Math.sqrt(mean(values.map((v) => (v - center) ** 2))) / center;
}

export const inputs = (requests: readonly TraceRequest[]): number[] => requests.map((r) => r.inputTokens);
export const outputs = (requests: readonly TraceRequest[]): number[] => requests.map((r) => r.outputTokens);
export const gapsMs = (requests: readonly TraceRequest[]): number[] =>
  requests.slice(1).map((r, i) => r.arrivalMs - requests[i]!.arrivalMs);
export const ratePerSecond = (requests: readonly TraceRequest[]): number => (requests.length / requests.at(-1)!.arrivalMs) * 1000;

/** Share of the prefix blocks that came before in the stream. */
export function repeatedBlocks(requests: readonly TraceRequest[]): number {
  const blocks = requests.flatMap((r) => r.prefixBlocks ?? []);
  return 1 - new Set(blocks).size / blocks.length;
}
