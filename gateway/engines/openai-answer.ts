/** Answers of OpenAI's API, written by the gateway: chunks of a stream, or a whole. Source: OpenAI API reference, chat and completions. */

import type { Usage } from '../answers/usage.ts';
import type { Endpoint } from '../body/request.ts';

export const DONE = 'data: [DONE]\n\n';

export class AnswerWriter {
  readonly #chat: boolean;
  readonly #head: { id: string; object: string; created: number; model: string };
  /** What every chunk of this answer begins with. */
  readonly #open: string;

  /** @param model as the client named it */
  constructor(endpoint: Endpoint, requestId: string, createdMs: number, model: string, streamed: boolean) {
    this.#chat = endpoint === 'chat';
    const object = this.#chat ? `chat.completion${streamed ? '.chunk' : ''}` : 'text_completion';
    this.#head = { id: `${this.#chat ? 'chatcmpl' : 'cmpl'}-${requestId}`, object, created: Math.floor(createdMs / 1000), model };
    this.#open = `data: ${JSON.stringify(this.#head).slice(0, -1)},"choices":[`;
  }

  /** What a stream begins with: a chat's role. */
  opening(): string {
    return this.#chat ? this.#chunk('"delta":{"role":"assistant","content":""}', null) : '';
  }

  text(text: string): string {
    return this.#chunk(this.#chat ? `"delta":{"content":${JSON.stringify(text)}}` : `"text":${JSON.stringify(text)}`, null);
  }

  finish(reason: string): string {
    return this.#chunk(this.#chat ? '"delta":{}' : '"text":""', reason);
  }

  usage(usage: Usage): string {
    return `${this.#open}],"usage":${JSON.stringify(written(usage))}}\n\n`;
  }

  whole(text: string, reason: string, usage: Usage): string {
    const content = this.#chat ? { message: { role: 'assistant', content: text } } : { text };
    const choice = { index: 0, ...content, logprobs: null, finish_reason: reason };
    return JSON.stringify({ ...this.#head, choices: [choice], usage: written(usage) });
  }

  #chunk(content: string, reason: string | null): string {
    return `${this.#open}{"index":0,${content},"logprobs":null,"finish_reason":${JSON.stringify(reason)}}]}\n\n`;
  }
}

function written({ promptTokens, completionTokens }: Usage) {
  const [prompt, completion] = [promptTokens ?? 0, completionTokens ?? 0];
  return { prompt_tokens: prompt, total_tokens: prompt + completion, completion_tokens: completion };
}
