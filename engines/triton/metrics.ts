/** What a Triton server says of its model: `nv_inference_*` of every model, `vllm:*` of backends that report their own. */
import type { EngineMetrics } from '../driver.ts';
import { fetchText } from '../http.ts';
import { parsePrometheus } from '../prometheus.ts';
import { tritonMetricsUrl } from './endpoint.ts';

/** @param endpoint of the server's HTTP port. @throws unavailable */
export async function readTritonMetrics(endpoint: string): Promise<EngineMetrics> {
  return parseTritonMetrics(await fetchText(tritonMetricsUrl(endpoint)));
}

/**
 * Versions of the model are summed. How many requests run, Triton itself does not count for a model that streams. Preemptions, tokens and
 * KV use are the backend's to say; the number of tokens that its KV cache holds it does not.
 * Source: Triton 2.51, "Metrics"; vllm_backend, README, "Triton Metrics".
 */
export function parseTritonMetrics(text: string): EngineMetrics {
  const samples = parsePrometheus(text);
  const values = (name: string) => (samples.get(name) ?? []).map((s) => s.value).filter(Number.isFinite);
  const sum = (...names: string[]): number | null => {
    const found = names.flatMap(values);
    return found.length === 0 ? null : found.reduce((a, b) => a + b, 0);
  };
  const usage = [...values('vllm:kv_cache_usage_perc'), ...values('vllm:gpu_cache_usage_perc')];
  return {
    running: sum('vllm:num_requests_running'),
    waiting: sum('vllm:num_requests_waiting') ?? sum('nv_inference_pending_request_count'),
    kvCacheUsage: usage.length === 0 ? null : Math.max(...usage),
    preemptions: sum('vllm:num_preemptions_total'),
    promptTokens: sum('vllm:prompt_tokens_total'),
    generationTokens: sum('vllm:generation_tokens_total'),
    requestsFinished: sum('nv_inference_request_success', 'nv_inference_request_failure'),
    kvCacheTokens: null,
  };
}
