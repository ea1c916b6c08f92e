/** Statistics of published workloads, for machines that do not have the data itself. Each says where it comes from. */
import type { QuantileTable } from './distributions.ts';

/**
 * Azure LLM inference trace 2023, code completion (Azure/AzurePublicDataset, CC-BY-4.0): 8,819 requests in 57 minutes. Medians as in
 * Splitwise (Patel et al., ISCA'24, section III: prompt 1,500, output 13; the released file has 1,469), mean input 2,048, 99th percentile
 * 7,436 at the limit of the prompt, mean output 28, 99th percentile 249.
 */
export const CODE_TRACE = {
  requestsPerSecond: 2.57,
  /** Lognormal, cut at `most`; `sigma` so that the mean is right after the cut. */
  input: { median: 1480, sigma: 0.88, most: 7437 },
  output: { median: 13, sigma: 1.239, most: 1024 },
} as const;

/**
 * A day of a DeepSeek-R1 service (alibaba/ServeGen, Apache-2.0; arXiv 2505.09999): 73 clients, 1.38 M requests, computed from the clients'
 * length distributions weighted by their rates. Mean input 1,268, mean output 1,527 (of which about 70 % reasoning).
 */
export const REASONING_SERVICE = {
  /** Mean of the day; the quietest ten minutes have 4.3, the busiest 42.5. */
  requestsPerSecond: 16,
  /** Of the gaps between all clients' requests together: the middle of the 24 hours as `servegenWorkload` draws them, 0.7 to 2.2. */
  gapVariation: 1.2,
  input: [
    [0, 4],
    [0.01, 9],
    [0.05, 13],
    [0.1, 18],
    [0.25, 41],
    [0.5, 208],
    [0.75, 482],
    [0.85, 1165],
    [0.9, 2092],
    [0.95, 6714],
    [0.975, 14_144],
    [0.99, 23_423],
    [0.999, 33_783],
    [1, 57_284],
  ],
  output: [
    [0, 9],
    [0.01, 141],
    [0.05, 225],
    [0.1, 287],
    [0.25, 427],
    [0.5, 792],
    [0.75, 1499],
    [0.85, 2196],
    [0.9, 3432],
    [0.95, 5701],
    [0.975, 8369],
    [0.99, 12_607],
    [0.999, 20_833],
    [1, 32_768],
  ],
} as const satisfies Record<string, unknown> & Record<'input' | 'output', QuantileTable>;

/**
 * Summaries of arXiv papers (the arXiv lengths of microsoft/vidur, MIT): 28,257 requests, mean input 2,588, mean output 291, together at
 * most 4,096. They are two groups, and within the first the lengths do not depend on each other (correlation 0.00): summaries, and 5.6 %
 * answers longer than 600 tokens to short prompts.
 */
export const SUMMARIES = {
  mostTokens: 4096,
  groups: [
    {
      share: 0.944,
      input: [
        [0, 1],
        [0.01, 643],
        [0.05, 1134],
        [0.1, 1492],
        [0.25, 2096],
        [0.5, 2793],
        [0.75, 3401],
        [0.9, 3715],
        [0.95, 3819],
        [0.99, 3936],
        [1, 4054],
      ],
      output: [
        [0, 5],
        [0.01, 35],
        [0.05, 59],
        [0.1, 76],
        [0.25, 112],
        [0.5, 161],
        [0.75, 225],
        [0.9, 304],
        [0.95, 366],
        [0.99, 490],
        [1, 599],
      ],
    },
    {
      share: 0.056,
      input: [
        [0, 1],
        [0.05, 18],
        [0.1, 38],
        [0.25, 131],
        [0.5, 478],
        [0.75, 1346],
        [0.9, 2532],
        [0.95, 2934],
        [0.99, 3256],
        [1, 3459],
      ],
      output: [
        [0, 600],
        [0.05, 647],
        [0.1, 721],
        [0.25, 1130],
        [0.5, 2327],
        [0.75, 3036],
        [0.9, 3544],
        [0.95, 3725],
        [0.99, 3931],
        [1, 4056],
      ],
    },
  ],
} as const satisfies { mostTokens: number; groups: readonly { share: number; input: QuantileTable; output: QuantileTable }[] };

/**
 * BurstGPT (Wang et al., arXiv 2401.17644) models the arrivals at Azure's GPT services as gamma, in bursts far beyond Poisson's, and gives
 * no one figure, since they vary by service and hour. 3 is a choice within what ServeGen measured: its clients above have 2.3 in the mean
 * over their requests, and up to 20.
 */
export const BURSTS = { gapVariation: 3 } as const;

/**
 * A day's swing: conversations at Azure in May 2024 have 3.6 times as many requests in the busiest hour as in the quietest (Azure LLM
 * inference trace 2024, DynamoLLM, HPCA'25), ServeGen's service above 4.9 times. (1 + a) / (1 - a) = 4.
 */
export const DAY = { amplitude: 0.6 } as const;
