/** How other processes ask the profiler service. */
import { type FieldIssue, messageOf, UellmError } from '../core/domain/errors.ts';
import type { ModelShape } from '../core/domain/model-spec.ts';
import type { Recalibration } from '../core/profiler/recalibrate.ts';
import type { ShapeProfile } from '../core/profiler/shapes.ts';

const TIMEOUT_MS = 10_000;

export interface ProfilerClient {
  /** Memory and step time of a model on every width of each accelerator kind. @throws invalid-input, unavailable */
  profileShapes(shape: ModelShape, accelerators: readonly string[]): Promise<ShapeProfile[]>;
  /** Multiplies a model's predicted lengths at once. Again with the same `correctionId` changes nothing. @throws invalid-input, unavailable */
  recalibrate(input: Recalibration & { correctionId: string }): Promise<void>;
}

export function createProfilerClient({ url, apiKey }: { url: string; apiKey?: string | undefined }): ProfilerClient {
  return {
    async profileShapes(shape, accelerators) {
      const { profiles } = (await post(`${url}/v1/profile`, apiKey, { shape, accelerators })) as { profiles: ShapeProfile[] };
      return profiles;
    },
    async recalibrate(input) {
      await post(`${url}/v1/recalibrate`, apiKey, input);
    },
  };
}

async function post(url: string, apiKey: string | undefined, body: unknown): Promise<unknown> {
  try {
    const response = await fetch(url, {
      method: 'POST',
      headers: { 'content-type': 'application/json', ...(apiKey ? { authorization: `Bearer ${apiKey}` } : {}) },
      body: JSON.stringify(body),
      signal: AbortSignal.timeout(TIMEOUT_MS),
    });
    const answer = (await response.json()) as { detail?: string; issues?: FieldIssue[] };
    if (response.ok) return answer;
    if (answer.issues) throw new UellmError({ kind: 'invalid-input', what: 'what the profiler was asked', issues: answer.issues });
    throw new Error(answer.detail ?? `HTTP ${response.status}`);
  } catch (error) {
    if (error instanceof UellmError) throw error;
    throw new UellmError({ kind: 'unavailable', what: 'the profiler', reason: messageOf(error) }, { cause: error });
  }
}
