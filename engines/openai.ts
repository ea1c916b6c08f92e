/** A small client of engines that speak OpenAI's API: are they ready, and how quickly do they answer. For readiness and calibration. */
import { messageOf, UellmError } from '../core/domain/errors.ts';
import type { EngineHealth } from './driver.ts';
import { fetchText, postJson } from './http.ts';
import { serverSentEvents } from './server-sent-events.ts';

/** Asks `/health`. @throws unavailable unless it answers 200 */
export async function probeHealth(endpoint: string): Promise<void> {
  await fetchText(`${endpoint}/health`);
}

/** The names that the engine answers to. @throws unavailable */
export async function listModels(endpoint: string): Promise<string[]> {
  const url = `${endpoint}/v1/models`;
  const text = await fetchText(url);
  try {
    return (JSON.parse(text) as { data: { id: string }[] }).data.map((model) => model.id);
  } catch (error) {
    throw new UellmError(
      { kind: 'unavailable', what: url, reason: `its answer is no list of models: ${text.slice(0, 200)}` },
      { cause: error },
    );
  }
}

/** Ready is: healthy, and serving under that name. Anything else is loading, with what stands in the way. */
export async function probeReady(endpoint: string, name: string): Promise<EngineHealth> {
  try {
    await probeHealth(endpoint);
    const names = await listModels(endpoint);
    return names.includes(name)
      ? { state: 'ready' }
      : { state: 'loading', detail: `serves ${names.join(', ') || 'nothing'}, not yet ${name}` };
  } catch (error) {
    return { state: 'loading', detail: messageOf(error) };
  }
}

export type CompletionRequest = {
  model: string;
  maxTokens: number;
  /** Goes on to `maxTokens` whatever the model says (an extension that vLLM understands). */
  ignoreEos?: boolean;
  /** Of the engine: lower is sooner. */
  priority?: number;
  signal?: AbortSignal;
  /** Called at each event that carries output. */
  onToken?: () => void;
} & (
  | { /** Text, or token ids where the length matters. */ prompt: string | number[] }
  | { messages: { role: 'system' | 'user' | 'assistant'; content: string }[] }
);

export interface StreamedCompletion {
  /** From sending the request to the first token, ms. */
  ttftMs: number;
  /** Arrival of each event that carried output, ms since the request was sent. An event holds one token as a rule, more when the reader lags. */
  tokenTimesMs: number[];
  /** As the engine counts them in its usage. */
  inputTokens: number;
  outputTokens: number;
  finishReason: string | null;
  text: string;
}

interface Chunk {
  choices?: { text?: string; delta?: { content?: string | null }; finish_reason?: string | null }[];
  usage?: { prompt_tokens: number; completion_tokens: number } | null;
  error?: unknown;
}

/**
 * Streams one completion (or chat completion, given `messages`) to its end, `[DONE]`.
 * @throws unavailable where the engine refuses it, reports an error, or breaks off before `[DONE]`; the signal's reason when aborted
 */
export async function streamCompletion(endpoint: string, wanted: CompletionRequest): Promise<StreamedCompletion> {
  const { model, maxTokens, ignoreEos, priority, signal, onToken, ...input } = wanted;
  const url = `${endpoint}${'messages' in input ? '/v1/chat/completions' : '/v1/completions'}`;
  const failed = (reason: string) => new UellmError({ kind: 'unavailable', what: url, reason });
  const sentAt = performance.now();
  const { statusCode, body } = await postJson(
    url,
    { model, ...input, max_tokens: maxTokens, ignore_eos: ignoreEos, priority, stream: true, stream_options: { include_usage: true } },
    signal,
  );
  if (statusCode !== 200) throw failed(`answers ${statusCode} ${(await body.text()).slice(0, 300)}`);

  const result: StreamedCompletion = { ttftMs: 0, tokenTimesMs: [], inputTokens: 0, outputTokens: 0, finishReason: null, text: '' };
  try {
    for await (const data of serverSentEvents(body)) {
      if (data === '[DONE]') return { ...result, ttftMs: result.tokenTimesMs[0] ?? 0 };
      const chunk = JSON.parse(data) as Chunk;
      if (chunk.error) throw new Error(JSON.stringify(chunk.error).slice(0, 300));
      const known = result.tokenTimesMs.length;
      readChunk(chunk, performance.now() - sentAt, result);
      if (result.tokenTimesMs.length > known) onToken?.();
    }
  } catch (error) {
    if (signal?.aborted) throw error;
    throw failed(messageOf(error));
  }
  throw failed('the stream ended without [DONE]');
}

function readChunk(chunk: Chunk, atMs: number, result: StreamedCompletion): void {
  const choice = chunk.choices?.[0];
  const text = choice?.text ?? choice?.delta?.content;
  if (typeof text === 'string' && !isChatOpening(choice)) {
    result.tokenTimesMs.push(atMs);
    result.text += text;
  }
  result.finishReason = choice?.finish_reason ?? result.finishReason;
  if (chunk.usage) {
    result.inputTokens = chunk.usage.prompt_tokens;
    result.outputTokens = chunk.usage.completion_tokens;
  }
}

/** A chat stream opens with the role and an empty text, before there is a token. */
function isChatOpening(choice: NonNullable<Chunk['choices']>[number] | undefined): boolean {
  return choice?.delta !== undefined && 'role' in choice.delta && choice.delta.content === '';
}
