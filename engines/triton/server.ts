/** A small client of Triton's HTTP API. Source: KServe's predict protocol v2; Triton's "model repository" extension. */
import { messageOf, UellmError } from '../../core/domain/errors.ts';
import { fetchText, postJson } from '../http.ts';
import type { ModelConfig } from './model-config.ts';

const QUESTION_TIMEOUT_MS = 3000;

export interface ModelVersion {
  version: number;
  /** UNLOADING as long as requests run on it; UNAVAILABLE with the reason `unloaded`, or with why it could not be loaded. */
  state: 'LOADING' | 'READY' | 'UNLOADING' | 'UNAVAILABLE';
  reason: string;
}

/** @throws unavailable unless the server answers that it lives */
export async function probeLive(endpoint: string): Promise<void> {
  await fetchText(`${endpoint}/v2/health/live`);
}

/** The versions of a model that were ever loaded, oldest first; none where nobody has asked to load it. @throws unavailable */
export async function modelVersions(
  endpoint: string,
  model: string,
  signal = AbortSignal.timeout(QUESTION_TIMEOUT_MS),
): Promise<ModelVersion[]> {
  const url = `${endpoint}/v2/repository/index`;
  const { statusCode, text } = await post(url, {}, signal);
  if (statusCode !== 200) throw new UellmError({ kind: 'unavailable', what: url, reason: `answers ${statusCode} ${text.slice(0, 200)}` });
  const entries = JSON.parse(text) as { name: string; version?: string; state?: ModelVersion['state']; reason?: string }[];
  return entries
    .flatMap(({ name, version, state, reason = '' }) =>
      name === model && version && state ? [{ version: Number(version), state, reason }] : [],
    )
    .sort((a, b) => a.version - b.version);
}

/**
 * Loads the versions that the configuration names, and answers when they serve. Those that serve and are not named any more are let go:
 * they finish their requests. A load that fails leaves all as it was.
 * @returns why it could not be loaded; null where it was
 * @throws unavailable where the server does not answer; the signal's reason
 */
export async function loadModel(endpoint: string, model: string, config: ModelConfig, signal: AbortSignal): Promise<string | null> {
  const url = `${endpoint}/v2/repository/models/${model}/load`;
  const { statusCode, text } = await post(url, { parameters: { config: JSON.stringify(config) } }, signal);
  return statusCode === 200 ? null : errorOf(text);
}

/** The server's own words. */
export function errorOf(text: string): string {
  try {
    return (JSON.parse(text) as { error: string }).error.trim();
  } catch {
    return text.trim().slice(0, 500);
  }
}

async function post(url: string, body: unknown, signal: AbortSignal): Promise<{ statusCode: number; text: string }> {
  try {
    const response = await postJson(url, body, signal);
    return { statusCode: response.statusCode, text: await response.body.text() };
  } catch (error) {
    if (error instanceof UellmError) throw error;
    throw new UellmError({ kind: 'unavailable', what: url, reason: messageOf(error) }, { cause: error });
  }
}
