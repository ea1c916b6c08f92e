/** One streaming chat, as a client sees it. */
import { type Agent, request } from 'undici';
import { DEFAULT_CLASS } from '../../core/domain/slo-policy.ts';
import type { TraceRequest } from '../../core/simulator/traces/trace.ts';

export type ChatEnd = 'ok' | 'refused' | 'failed' | 'cut' | 'abandoned';

export interface ChatClient {
  agent: Agent;
  gatewayUrl: string;
  apiKey?: string | undefined;
  /** Gives up open chats. */
  signal: AbortSignal;
}

/** The limit that a chat application sends: the same for all, so that it tells nothing about this answer. */
const MAX_TOKENS = 1024;
const DONE = 'data: [DONE]';
/** The end of a stream: `[DONE]` and the blank lines after it. */
const TAIL_BYTES = 64;

/** Sends a chat and reads its answer to the end. Never throws: every end is one of `ChatEnd`. */
export async function sendChat(client: ChatClient, model: string, prompt: string, shape: TraceRequest): Promise<ChatEnd> {
  let streaming = false;
  try {
    const { statusCode, body } = await request(`${client.gatewayUrl}/v1/chat/completions`, {
      method: 'POST',
      dispatcher: client.agent,
      signal: client.signal,
      headers: {
        'content-type': 'application/json',
        'x-slo-class': shape.class ?? DEFAULT_CLASS,
        ...(client.apiKey ? { authorization: `Bearer ${client.apiKey}` } : {}),
      },
      body: JSON.stringify({
        model,
        messages: [{ role: 'user', content: prompt }],
        stream: true,
        max_tokens: Math.max(MAX_TOKENS, shape.outputTokens),
        // Only simulated engines read it: they have no text of their own that would end somewhere.
        simulated_output_tokens: shape.outputTokens,
      }),
    });
    if (statusCode !== 200) {
      await body.dump();
      return statusCode === 429 || statusCode === 503 ? 'refused' : 'failed';
    }
    streaming = true;
    let tail = '';
    for await (const chunk of body as AsyncIterable<Buffer>)
      tail = (tail + chunk.toString('latin1', Math.max(0, chunk.length - TAIL_BYTES))).slice(-TAIL_BYTES);
    return tail.includes(DONE) ? 'ok' : 'cut';
  } catch {
    if (client.signal.aborted) return 'abandoned';
    return streaming ? 'cut' : 'failed';
  }
}
