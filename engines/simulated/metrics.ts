/** vLLM's metrics under their own names, with its buckets, from what the simulated engine does; and `uellm_simulated 1`. */
import { Counter, Gauge, Histogram, Registry } from 'prom-client';
import type { Engine, StepResult } from '../../core/simulator/engine-state.ts';
import { BLOCK_TOKENS } from '../../core/simulator/kv-blocks.ts';
import type { Generation, GenerationSequence } from './generation.ts';

const FIRST_TOKEN_SECONDS = [
  0.001, 0.005, 0.01, 0.02, 0.04, 0.06, 0.08, 0.1, 0.25, 0.5, 0.75, 1, 2.5, 5, 7.5, 10, 20, 40, 80, 160, 640, 2560,
];
const TOKEN_SECONDS = [0.01, 0.025, 0.05, 0.075, 0.1, 0.15, 0.2, 0.3, 0.4, 0.5, 0.75, 1, 2.5, 5, 7.5, 10, 20, 40, 80];
const REQUEST_SECONDS = [0.3, 0.5, 0.8, 1, 1.5, 2, 2.5, 5, 10, 15, 20, 30, 40, 50, 60, 120, 240, 480, 960, 1920, 7680];
const ITERATION_TOKENS = [1, 8, 16, 32, 64, 128, 256, 512, 1024, 2048, 4096, 8192, 16_384];

export type FinishedReason = 'stop' | 'length' | 'abort';

export interface EngineMetrics {
  registry: Registry;
  /** A step has ended. Reads the generations' times, so call it before they are updated. */
  step(result: StepResult<Generation>, nowMs: number): void;
  /** So many sequences have lost their blocks outside of a step. */
  preempted(count: number): void;
  ended(sequence: GenerationSequence, reason: FinishedReason, nowMs: number): void;
}

export function createMetrics(engine: Engine<Generation>, modelName: string): EngineMetrics {
  const registry = new Registry();
  registry.setDefaultLabels({ model_name: modelName, engine: '0' });
  const registers = [registry];
  const { config, kv } = engine;

  const gauge = (name: string, help: string, read: () => number) =>
    new Gauge({
      name,
      help,
      registers,
      collect() {
        this.set(read());
      },
    });
  const counter = (name: string, help: string) => new Counter({ name, help, registers });
  const histogram = (name: string, help: string, buckets: number[]) => new Histogram({ name, help, buckets, registers });

  gauge('uellm_simulated', 'This engine imitates an inference engine.', () => 1);
  gauge('vllm:num_requests_running', 'Number of requests in model execution batches.', () => engine.running.length);
  gauge('vllm:num_requests_waiting', 'Number of requests waiting to be processed.', () => engine.waiting.length);
  gauge('vllm:kv_cache_usage_perc', 'KV-cache usage. 1 means 100 percent usage.', () => kv.used / kv.total);
  const cache = { block_size: String(BLOCK_TOKENS), num_gpu_blocks: String(kv.total), cache_dtype: 'auto', enable_prefix_caching: 'False' };
  new Gauge({
    name: 'vllm:cache_config_info',
    help: 'Information of the LLMEngine CacheConfig.',
    labelNames: Object.keys(cache),
    registers,
  }).set(cache, 1);

  const preemptions = counter('vllm:num_preemptions_total', 'Cumulative number of preemptions from the engine.');
  const promptTokens = counter('vllm:prompt_tokens_total', 'Number of prefill tokens processed.');
  const generationTokens = counter('vllm:generation_tokens_total', 'Number of generation tokens processed.');
  counter('vllm:prefix_cache_queries_total', 'Prefix cache queries, in tokens. Simulated engines have no prefix cache.');
  counter('vllm:prefix_cache_hits_total', 'Prefix cache hits, in tokens. Simulated engines have no prefix cache.');
  const ends = new Counter({
    name: 'vllm:request_success_total',
    help: 'Count of successfully processed requests.',
    labelNames: ['finished_reason'],
    registers,
  });
  for (const finished_reason of ['stop', 'length', 'abort', 'error']) ends.inc({ finished_reason }, 0);

  const lengths = oneTwoFive(config.maxContextTokens);
  const iterationTokens = histogram('vllm:iteration_tokens_total', 'Number of tokens per engine step.', ITERATION_TOKENS);
  const firstToken = histogram('vllm:time_to_first_token_seconds', 'Time to first token in seconds.', FIRST_TOKEN_SECONDS);
  const interToken = histogram('vllm:inter_token_latency_seconds', 'Inter-token latency in seconds.', TOKEN_SECONDS);
  const perToken = histogram('vllm:request_time_per_output_token_seconds', 'Mean time per output token of a request.', TOKEN_SECONDS);
  const e2e = histogram('vllm:e2e_request_latency_seconds', 'End-to-end request latency in seconds.', REQUEST_SECONDS);
  const queue = histogram('vllm:request_queue_time_seconds', 'Time spent in WAITING phase.', REQUEST_SECONDS);
  const prefill = histogram('vllm:request_prefill_time_seconds', 'Time spent in PREFILL phase.', REQUEST_SECONDS);
  const decode = histogram('vllm:request_decode_time_seconds', 'Time spent in DECODE phase.', REQUEST_SECONDS);
  const inference = histogram('vllm:request_inference_time_seconds', 'Time spent in RUNNING phase.', REQUEST_SECONDS);
  const requestPrompt = histogram('vllm:request_prompt_tokens', 'Number of prefill tokens of a request.', lengths);
  const requestGeneration = histogram('vllm:request_generation_tokens', 'Number of generation tokens of a request.', lengths);

  return {
    registry,
    step({ load, emitted, preempted }, nowMs) {
      if (preempted.length > 0) preemptions.inc(preempted.length);
      if (emitted.length > 0) generationTokens.inc(emitted.length);
      iterationTokens.observe(load.prefillTokens + load.decodeSequences);
      for (const { request } of emitted) {
        if (request.firstTokenAtMs === null) {
          promptTokens.inc(request.inputTokens);
          firstToken.observe((nowMs - request.arrivedAtMs) / 1000);
        } else {
          interToken.observe((nowMs - request.lastTokenAtMs) / 1000);
        }
      }
    },
    preempted: (count) => preemptions.inc(count),
    ended({ request, generatedTokens }, reason, nowMs) {
      ends.inc({ finished_reason: reason });
      const { arrivedAtMs, scheduledAtMs, firstTokenAtMs } = request;
      if (scheduledAtMs === null || firstTokenAtMs === null) return;
      e2e.observe((nowMs - arrivedAtMs) / 1000);
      queue.observe((scheduledAtMs - arrivedAtMs) / 1000);
      prefill.observe((firstTokenAtMs - scheduledAtMs) / 1000);
      decode.observe((nowMs - firstTokenAtMs) / 1000);
      inference.observe((nowMs - scheduledAtMs) / 1000);
      if (generatedTokens > 1) perToken.observe((nowMs - firstTokenAtMs) / 1000 / (generatedTokens - 1));
      requestPrompt.observe(request.inputTokens);
      requestGeneration.observe(generatedTokens);
    },
  };
}

/** 1, 2, 5, 10, 20, 50, ... up to `max`, as vLLM's length histograms have it. */
function oneTwoFive(max: number): number[] {
  const buckets: number[] = [];
  for (let power = 1; power <= max; power *= 10) buckets.push(...[1, 2, 5].map((m) => m * power).filter((value) => value <= max));
  return buckets;
}
