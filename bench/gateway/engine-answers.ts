/** What a mock engine answers, in bytes made once: as vLLM's answers look, each token with a mark in it that a client can count. */

/** Served by every engine here. */
export const MODEL = 'bench';
/** Stands once in each token and nowhere else in an answer, however a router writes it anew. */
export const MARK = '~';

const TOKEN = ` word${MARK}`;
const HEAD = { id: 'chatcmpl-0123456789abcdef0123456789abcdef', created: 1_700_000_000, model: MODEL };

export type Api = 'chat' | 'completion';

export interface StreamParts {
  /** An event each. */
  first: Buffer;
  token: Buffer;
  /** The last token, with the reason. */
  last: Buffer;
  usage: Buffer;
  done: Buffer;
}

export function streamParts(api: Api, tokens: number): StreamParts {
  const object = api === 'chat' ? 'chat.completion.chunk' : 'text_completion';
  const piece = (delta: object, text: string, finish: string | null) => ({
    index: 0,
    ...(api === 'chat' ? { delta } : { text }),
    logprobs: null,
    finish_reason: finish,
  });
  const event = (value: object) => Buffer.from(`data: ${JSON.stringify({ ...HEAD, object, ...value })}\n\n`);
  return {
    first: event({ choices: [piece({ role: 'assistant', content: TOKEN }, TOKEN, null)] }),
    token: event({ choices: [piece({ content: TOKEN }, TOKEN, null)] }),
    last: event({ choices: [piece({ content: TOKEN }, TOKEN, 'length')] }),
    usage: event({ choices: [], usage: usageOf(tokens) }),
    done: Buffer.from('data: [DONE]\n\n'),
  };
}

export function wholeAnswer(api: Api, tokens: number): Buffer {
  const text = TOKEN.repeat(tokens);
  const choice = {
    index: 0,
    ...(api === 'chat' ? { message: { role: 'assistant', content: text } } : { text }),
    logprobs: null,
    finish_reason: 'length',
  };
  const object = api === 'chat' ? 'chat.completion' : 'text_completion';
  return Buffer.from(JSON.stringify({ ...HEAD, object, choices: [choice], usage: usageOf(tokens) }));
}

function usageOf(tokens: number) {
  return { prompt_tokens: 100, total_tokens: 100 + tokens, completion_tokens: tokens, prompt_tokens_details: null };
}
