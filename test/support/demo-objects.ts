/** A small simulated fleet for system tests: two hosts of two L4s, one 8B model in small, quick steps. */
import type { ClusterOptions } from './cluster.ts';

export const MODEL = 'tiny';

/** A Llama of 0.5 B parameters: loads at once, and a step takes few milliseconds. */
const config = {
  num_hidden_layers: 16,
  hidden_size: 1024,
  num_attention_heads: 16,
  num_key_value_heads: 8,
  intermediate_size: 4096,
  vocab_size: 32_000,
  max_position_embeddings: 8192,
};

export function smallFleet(deployment: Record<string, unknown> = {}): ClusterOptions {
  return {
    hosts: ['h1', 'h2'],
    objects: [
      ...['h1', 'h2'].map((name) => ({
        kind: 'Host' as const,
        name,
        simulated: true,
        accelerators: [{ kind: 'L4', count: 2, usdPerHour: 0.5 }],
      })),
      { kind: 'Model', name: MODEL, source: 'hf://example/tiny', config },
      {
        kind: 'SloPolicy',
        name: 'relaxed',
        match: { model: MODEL },
        targets: { e2eMs: 60_000, attainment: 0.9 },
        queue: { maxWaitMs: 60_000 },
      },
      {
        ...{
          kind: 'Deployment',
          name: MODEL,
          model: MODEL,
          replicas: { min: 1, max: 2 },
          demand: { requestsPerSecond: 1, inputTokens: 100, outputTokens: 100 },
        },
        engine: { kind: 'simulated', args: { 'simulated-load-seconds': 0.2 } },
        ...deployment,
      },
    ],
  };
}
