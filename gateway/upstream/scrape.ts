/**
 * A few gauges out of an engine's metrics, several times a second for every replica: so this looks for their lines instead of parsing the
 * whole text, as `engines/prometheus.ts` does for those who ask seldom.
 */
import type { EngineLoad } from '../../core/scheduler/types.ts';

/** Names by engine: vLLM (and older ones), SGLang, Triton with TensorRT-LLM, plain Triton. Counts are summed, shares averaged. */
const RUNNING = ['vllm:num_requests_running', 'sglang:num_running_reqs', 'nv_trt_llm_request_metrics{request_type=scheduled}'];
const WAITING = [
  'vllm:num_requests_waiting',
  'sglang:num_queue_reqs',
  'nv_trt_llm_request_metrics{request_type=waiting}',
  'nv_inference_pending_request_count',
];
const KV_USAGE = [
  'vllm:kv_cache_usage_perc',
  'vllm:gpu_cache_usage_perc',
  'sglang:token_usage',
  'nv_trt_llm_kv_cache_block_metrics{kv_cache_block_type=fraction}',
];

const PREEMPTIONS = ['vllm:num_preemptions_total', 'vllm:num_preemptions', 'sglang:num_retracted_reqs'];

/** What an engine tells beyond is nonsense, and would spoil what is reckoned with it. */
const MAX_FIGURE = 1e9;

/** What the scheduler reads, and what monitoring does: the same, but null where the engine does not say. */
export interface EngineGauges extends EngineLoad {
  /** Of its KV cache, 0 to 1. */
  kvUsage: number | null;
  /** Requests evicted to be computed anew, since the engine started. */
  preemptions: number | null;
}

/**
 * null when the text has none of the gauges: an engine of another dialect, of which we only know that it answers.
 * @param label that samples must have, e.g. `model="chat"`, where one server has several models; all of them where absent
 */
export function readEngineGauges(text: string, label = ''): EngineGauges | null {
  const running = gauge(text, RUNNING, label);
  const waiting = gauge(text, WAITING, label);
  const usage = gauge(text, KV_USAGE, label);
  if (running === null && waiting === null && usage === null) return null;
  const kvUsage = usage ? Math.min(1, Math.max(0, usage.sum / usage.count)) : null;
  return {
    running: running?.sum ?? 0,
    waiting: waiting?.sum ?? 0,
    kvCacheUsage: kvUsage ?? 0,
    kvUsage,
    preemptions: gauge(text, PREEMPTIONS, label)?.sum ?? null,
  };
}

interface Gauge {
  sum: number;
  count: number;
}

/** The first of these names that the text has. */
function gauge(text: string, names: readonly string[], label: string): Gauge | null {
  for (const name of names) {
    const found = samples(text, name, label);
    if (found.count > 0) return found;
  }
  return null;
}

/** Sums the samples of `name`, or of `name{label=value}`. */
function samples(text: string, selector: string, label: string): Gauge {
  const [name = '', matcher] = selector.replace('}', '').split('{');
  const [key, value] = matcher?.split('=') ?? [];
  const wanted = key ? `${key}="${value}"` : '';
  const found: Gauge = { sum: 0, count: 0 };
  for (let at = text.indexOf(name); at !== -1; at = text.indexOf(name, at + name.length)) {
    const after = text[at + name.length];
    if ((at > 0 && text[at - 1] !== '\n') || (after !== ' ' && after !== '{')) continue;
    const end = text.indexOf('\n', at);
    const line = text.slice(at, end === -1 ? undefined : end);
    if (!line.includes(wanted) || !line.includes(label)) continue;
    const figure = Number.parseFloat(line.slice(line.lastIndexOf('}') + 1).replace(name, ''));
    if (!(figure >= 0 && figure <= MAX_FIGURE)) continue;
    found.sum += figure;
    found.count += 1;
  }
  return found;
}
