/** What an engine says of itself, from vLLM's metrics: the names that `vllm` and `simulated` engines both use. */
import type { EngineMetrics } from './driver.ts';
import { fetchText } from './http.ts';
import { type MetricSamples, parsePrometheus } from './prometheus.ts';

/** Reads `/metrics` of an engine. @throws unavailable */
export async function readVllmMetrics(endpoint: string): Promise<EngineMetrics> {
  return parseVllmMetrics(await fetchText(`${endpoint}/metrics`));
}

/**
 * vLLM's Prometheus text as figures. An engine with several cores (data parallelism) reports each: counts are summed, KV use is the mean.
 * What it does not report is 0. Source: vLLM 0.32 `/metrics`; `gpu_cache_usage_perc` is the name up to 0.9.
 */
export function parseVllmMetrics(text: string): EngineMetrics {
  const samples = parsePrometheus(text);
  return {
    running: sum(samples, 'vllm:num_requests_running'),
    waiting: sum(samples, 'vllm:num_requests_waiting'),
    kvCacheUsage: mean(samples, 'vllm:kv_cache_usage_perc') ?? mean(samples, 'vllm:gpu_cache_usage_perc') ?? 0,
    preemptions: sum(samples, 'vllm:num_preemptions_total'),
    promptTokens: sum(samples, 'vllm:prompt_tokens_total'),
    generationTokens: sum(samples, 'vllm:generation_tokens_total'),
    requestsFinished: sum(samples, 'vllm:request_success_total'),
    kvCacheTokens: kvCacheTokens(samples),
  };
}

/** From the labels of `vllm:cache_config_info`: what it says itself, or else its blocks times their size. */
function kvCacheTokens(samples: MetricSamples): number | null {
  const cores = samples.get('vllm:cache_config_info') ?? [];
  const total = cores
    .map(({ labels }) => positive(labels.kv_cache_size_tokens) ?? positive(labels.num_gpu_blocks, labels.block_size) ?? 0)
    .reduce((a, b) => a + b, 0);
  return total > 0 ? total : null;
}

/** The product of numbers given as text, or null where one is missing (vLLM writes `None`). */
function positive(...texts: (string | undefined)[]): number | null {
  const product = texts.reduce((a, text) => a * Number(text), 1);
  return product > 0 ? product : null;
}

function finite(samples: MetricSamples, name: string): number[] {
  return (samples.get(name) ?? []).map((s) => s.value).filter(Number.isFinite);
}

function sum(samples: MetricSamples, name: string): number {
  return finite(samples, name).reduce((a, b) => a + b, 0);
}

function mean(samples: MetricSamples, name: string): number | null {
  const values = finite(samples, name);
  return values.length === 0 ? null : values.reduce((a, b) => a + b, 0) / values.length;
}
