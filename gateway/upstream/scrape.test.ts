import { describe, expect, it } from 'vitest';
import { readEngineGauges } from './scrape.ts';

describe('engine gauges', () => {
  it("is read from vLLM's text", () => {
    const text = [
      '# HELP vllm:num_requests_running Number of requests in model execution batches.',
      '# TYPE vllm:num_requests_running gauge',
      'vllm:num_requests_running{engine="0",model_name="m"} 3.0',
      'vllm:num_requests_waiting{engine="0",model_name="m"} 8.0',
      'vllm:num_requests_waiting_by_reason{engine="0",reason="capacity"} 99.0',
      'vllm:kv_cache_usage_perc{engine="0",model_name="m"} 0.25',
      'vllm:num_preemptions_total{engine="0",model_name="m"} 7.0',
      '',
    ].join('\n');
    expect(readEngineGauges(text)).toEqual({ running: 3, waiting: 8, kvCacheUsage: 0.25, kvUsage: 0.25, preemptions: 7 });
  });
  it('adds up the cores of one engine and averages their shares', () => {
    const text =
      'vllm:num_requests_running{engine="0"} 3\nvllm:num_requests_running{engine="1"} 4\nvllm:gpu_cache_usage_perc{engine="0"} 0.2\nvllm:gpu_cache_usage_perc{engine="1"} 0.4';
    expect(readEngineGauges(text)).toMatchObject({ running: 7, waiting: 0, kvCacheUsage: expect.closeTo(0.3) });
  });
  it('knows the names of SGLang and Triton', () => {
    expect(readEngineGauges('sglang:num_running_reqs{model_name="m"} 2\nsglang:num_queue_reqs 1\nsglang:token_usage 0.5\n')).toMatchObject({
      running: 2,
      waiting: 1,
      kvCacheUsage: 0.5,
    });
    const trt = [
      'nv_trt_llm_request_metrics{model="t",request_type="scheduled",version="1"} 5',
      'nv_trt_llm_request_metrics{model="t",request_type="waiting",version="1"} 6',
      'nv_trt_llm_kv_cache_block_metrics{kv_cache_block_type="fraction",model="t"} 0.75',
    ].join('\n');
    expect(readEngineGauges(trt)).toMatchObject({ running: 5, waiting: 6, kvCacheUsage: 0.75 });
    expect(readEngineGauges('nv_inference_pending_request_count{model="m",version="1"} 4\n')).toMatchObject({ waiting: 4 });
  });
  it('tells what the engine does not say from what it says is none', () => {
    expect(readEngineGauges('vllm:num_requests_running 2\n')).toMatchObject({ kvCacheUsage: 0, kvUsage: null, preemptions: null });
    const text =
      'vllm:num_requests_running 2\nvllm:kv_cache_usage_perc 0\nvllm:num_preemptions_total 0\nvllm:num_preemptions_created 1.7e9\n';
    expect(readEngineGauges(text)).toMatchObject({ kvUsage: 0, preemptions: 0 });
  });
  it('is unknown where nothing is known, and passes over garbage', () => {
    expect(readEngineGauges('')).toBeNull();
    expect(readEngineGauges('<html>hello</html>')).toBeNull();
    expect(readEngineGauges('vllm:num_requests_running NaN\nvllm:num_requests_waiting 2')).toMatchObject({ running: 0, waiting: 2 });
  });
});
