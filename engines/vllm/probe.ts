/** Does a vLLM engine serve? Asleep it answers `/health` with 200 all the same, and requests hang: its metrics tell. */
import { messageOf } from '../../core/domain/errors.ts';
import type { EngineHealth } from '../driver.ts';
import { fetchText } from '../http.ts';
import { probeReady } from '../openai.ts';
import { parsePrometheus } from '../prometheus.ts';

/** @param name under which it is to serve */
export async function probeVllm(endpoint: string, name: string): Promise<EngineHealth> {
  const health = await probeReady(endpoint, name);
  if (health.state !== 'ready') return health;
  try {
    return isAsleep(await fetchText(`${endpoint}/metrics`))
      ? { state: 'loading', detail: 'it is asleep (POST /wake_up wakes it)' }
      : health;
  } catch (error) {
    return { state: 'loading', detail: messageOf(error) };
  }
}

/** `vllm:engine_sleep_state` says 0 for `awake` at every level of sleep; at level 0, which only pauses, it has no other state. */
function isAsleep(metrics: string): boolean {
  const samples = parsePrometheus(metrics).get('vllm:engine_sleep_state') ?? [];
  return samples.some(({ labels, value }) => labels.sleep_state === 'awake' && value === 0);
}
