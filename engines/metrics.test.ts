import { describe, expect, it } from 'vitest';
import { parseVllmMetrics } from './metrics.ts';
import { parsePrometheus } from './prometheus.ts';

/** From vLLM 0.32 on CPU, shortened. */
const VLLM_0_32 = `# HELP vllm:num_requests_running Number of requests in model execution batches.
# TYPE vllm:num_requests_running gauge
vllm:num_requests_running{engine="0",model_name="dep"} 4.0
vllm:num_requests_waiting{engine="0",model_name="dep"} 8.0
vllm:num_requests_waiting_by_reason{engine="0",model_name="dep",reason="capacity"} 8.0
vllm:kv_cache_usage_perc{engine="0",model_name="dep"} 0.53125
vllm:num_preemptions_total{engine="0",model_name="dep"} 3.0
vllm:num_preemptions_created{engine="0",model_name="dep"} 1.7954527227595906e+09
vllm:prompt_tokens_total{engine="0",model_name="dep"} 1207.0
vllm:generation_tokens_total{engine="0",model_name="dep"} 16384.0
vllm:request_success_total{engine="0",finished_reason="stop",model_name="dep"} 20.0
vllm:request_success_total{engine="0",finished_reason="length",model_name="dep"} 22.0
vllm:request_success_total{engine="0",finished_reason="abort",model_name="dep"} 0.0
vllm:cache_config_info{block_size="128",engine="0",kv_cache_size_tokens="1048576",num_cpu_blocks="None",num_gpu_blocks="8192"} 1.0
`;

describe('vLLM metrics', () => {
  it('are read', () => {
    expect(parseVllmMetrics(VLLM_0_32)).toEqual({
      running: 4,
      waiting: 8,
      kvCacheUsage: 0.53125,
      preemptions: 3,
      promptTokens: 1207,
      generationTokens: 16384,
      requestsFinished: 42,
      kvCacheTokens: 1_048_576,
    });
  });

  it('of older versions are read: gpu_cache_usage_perc, and KV tokens from the blocks', () => {
    const text = 'vllm:gpu_cache_usage_perc{model_name="m"} 0.25\nvllm:cache_config_info{block_size="16",num_gpu_blocks="1000"} 1';
    expect(parseVllmMetrics(text)).toMatchObject({ kvCacheUsage: 0.25, kvCacheTokens: 16_000 });
  });

  it('of several cores are summed, KV use is their mean', () => {
    const text = [0, 1]
      .map((i) => `vllm:num_requests_running{engine="${i}"} ${i + 1}\nvllm:kv_cache_usage_perc{engine="${i}"} ${i}`)
      .join('\n');
    expect(parseVllmMetrics(text)).toMatchObject({ running: 3, kvCacheUsage: 0.5 });
  });

  it('that are missing or not numbers are 0, KV tokens unknown', () => {
    const nothing = { running: 0, waiting: 0, kvCacheUsage: 0, preemptions: 0, promptTokens: 0, generationTokens: 0, requestsFinished: 0 };
    expect(parseVllmMetrics('')).toEqual({ ...nothing, kvCacheTokens: null });
    const odd = 'vllm:num_requests_running NaN\n<html>\nvllm:cache_config_info{num_gpu_blocks="None",block_size="16"} 1';
    expect(parseVllmMetrics(odd)).toEqual({ ...nothing, kvCacheTokens: null });
  });
});

describe('Prometheus text', () => {
  it('may have timestamps, escapes, infinities and braces in labels', () => {
    const samples = parsePrometheus('a{x="1,}",y="q\\"\\\\\\n"} 5 1700000000\nb_bucket{le="+Inf"} +Inf\nc -2.5e-3');
    expect(samples.get('a')).toEqual([{ labels: { x: '1,}', y: 'q"\\\n' }, value: 5 }]);
    expect(samples.get('b_bucket')).toEqual([{ labels: { le: '+Inf' }, value: Number.POSITIVE_INFINITY }]);
    expect(samples.get('c')).toEqual([{ labels: {}, value: -0.0025 }]);
  });
});
