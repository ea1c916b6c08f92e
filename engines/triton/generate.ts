/**
 * Streams an answer out of a model with the interface of Triton's vLLM backend, by `generate_stream`: plain `generate` is an error for
 * a model that sends more than one response. Source: Triton's "generate" extension; vllm_backend, src/utils/request.py.
 */
import { messageOf, UellmError } from '../../core/domain/errors.ts';
import { postJson } from '../http.ts';
import type { CompletionRequest, StreamedCompletion } from '../openai.ts';
import { serverSentEvents } from '../server-sent-events.ts';
import { errorOf } from './server.ts';

interface Event {
  text_output?: string;
  /** `None`, Python's word, until the last. */
  finish_reason?: string;
  num_input_tokens?: number;
  /** Since the event before. */
  num_output_tokens?: number;
  error?: string;
}

/**
 * Streams one completion to its finish reason. Chats and token ids are not for this interface.
 * @throws unavailable where the server refuses it, reports an error, or breaks off; invalid-input
 */
export async function streamGenerate(endpoint: string, wanted: CompletionRequest): Promise<StreamedCompletion> {
  const { model, maxTokens, ignoreEos, signal, onToken } = wanted;
  if (!('prompt' in wanted) || typeof wanted.prompt !== 'string') {
    const issue = { field: 'prompt', given: 'messages or token ids', allowed: 'a text' };
    throw new UellmError({ kind: 'invalid-input', what: 'request to Triton', issues: [issue] });
  }
  const url = `${endpoint}/v2/models/${model}/generate_stream`;
  const failed = (reason: string) => new UellmError({ kind: 'unavailable', what: url, reason });
  const sentAt = performance.now();
  const { statusCode, body } = await postJson(url, requestOf(wanted.prompt, { max_tokens: maxTokens, ignore_eos: ignoreEos }), signal);
  const result: StreamedCompletion = { ttftMs: 0, tokenTimesMs: [], inputTokens: 0, outputTokens: 0, finishReason: null, text: '' };
  try {
    if (statusCode !== 200) throw new Error(`answers ${statusCode} ${errorOf((await body.text()).replace(/^data: /, ''))}`);
    for await (const data of serverSentEvents(body)) {
      const event = JSON.parse(data) as Event;
      if (event.error !== undefined) throw new Error(event.error);
      if (readEvent(event, performance.now() - sentAt, result)) onToken?.();
    }
  } catch (error) {
    if (signal?.aborted) throw error;
    throw failed(messageOf(error));
  }
  if (result.finishReason === null) throw failed('the stream ended without a finish reason');
  return { ...result, ttftMs: result.tokenTimesMs[0] ?? 0 };
}

function requestOf(prompt: string, samplingParameters: Record<string, unknown>) {
  return {
    text_input: prompt,
    stream: true,
    sampling_parameters: JSON.stringify(samplingParameters),
    exclude_input_in_output: true,
    return_finish_reason: true,
    return_num_input_tokens: true,
    return_num_output_tokens: true,
  };
}

/** @returns did it carry output? */
function readEvent(event: Event, atMs: number, result: StreamedCompletion): boolean {
  const tokens = event.num_output_tokens ?? 0;
  result.text += event.text_output ?? '';
  result.outputTokens += tokens;
  result.inputTokens = event.num_input_tokens ?? result.inputTokens;
  if (event.finish_reason !== undefined && event.finish_reason !== 'None') result.finishReason = event.finish_reason;
  if (tokens > 0) result.tokenTimesMs.push(atMs);
  return tokens > 0;
}
