/** Engines that embed and generate nothing, as vLLM does with `--runner=pooling`: what a calibration run asks of them. */
import { messageOf, UellmError } from '../core/domain/errors.ts';
import { postJson } from './http.ts';

export interface TimedEmbedding {
  /** From sending the request to its whole answer, ms. */
  ms: number;
  /** As the engine counts them. */
  inputTokens: number;
}

export interface EmbeddingClient {
  /** Is it one of these? @param model a name that it serves under. @throws unavailable where nobody answers */
  embedsOnly(endpoint: string, model: string, signal?: AbortSignal): Promise<boolean>;
  /** @throws unavailable where the engine refuses it */
  embed(endpoint: string, request: { model: string; input: string; signal?: AbortSignal }): Promise<TimedEmbedding>;
}

export const embeddingClient: EmbeddingClient = {
  /** A server that embeds has no completions at all. */
  async embedsOnly(endpoint, model, signal) {
    const { statusCode, body } = await postJson(`${endpoint}/v1/completions`, { model, prompt: 'a', max_tokens: 1 }, signal);
    await body.dump();
    return statusCode === 404;
  },

  async embed(endpoint, { model, input, signal }) {
    const url = `${endpoint}/v1/embeddings`;
    const failed = (reason: string) => new UellmError({ kind: 'unavailable', what: url, reason });
    const sentAt = performance.now();
    const { statusCode, body } = await postJson(url, { model, input }, signal);
    const text = await body.text();
    const ms = performance.now() - sentAt;
    if (statusCode !== 200) throw failed(`answers ${statusCode} ${text.slice(0, 300)}`);
    return { ms, inputTokens: promptTokensOf(text, failed) };
  },
};

function promptTokensOf(text: string, failed: (reason: string) => UellmError): number {
  try {
    const tokens = (JSON.parse(text) as { usage?: { prompt_tokens?: unknown } }).usage?.prompt_tokens;
    if (typeof tokens === 'number') return tokens;
  } catch (error) {
    throw failed(messageOf(error));
  }
  throw failed('its answer does not say how many tokens the input has');
}
