/** Answers in the form of vLLM's OpenAI server, whole or as a stream of server-sent events; one write to the socket a step. */
import { randomUUID } from 'node:crypto';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { type ApiError, errorBody, sendError } from './errors.ts';
import type { Api, GenerationRequest } from './request.ts';

/** Said in every body, beside the header of every response. */
const SYSTEM_FINGERPRINT = 'simulated';

export interface Ending {
  finishReason: 'stop' | 'length';
  stopReason: string | null;
  promptTokens: number;
  completionTokens: number;
}

export interface Reply {
  /** The engine has taken the request: a stream sends its headers. */
  begin(): void;
  /** One token's text; with `ending`, the last one. Nothing where the client has left. */
  token(text: string, ending: Ending | null): void;
  /** Ends an unfinished answer: an error response, or an error event in a stream that has begun, and then no `[DONE]`. */
  fail(error: ApiError): void;
}

export function createReply(request: GenerationRequest, req: IncomingMessage, res: ServerResponse): Reply {
  const head = {
    id: answerId(request.api, req.headers['x-request-id']),
    created: Math.floor(Date.now() / 1000),
    model: request.model,
    system_fingerprint: SYSTEM_FINGERPRINT,
  };
  return request.stream ? streamReply(request, head, res) : wholeReply(request, head, res);
}

type Head = { id: string; created: number; model: string; system_fingerprint: string };

function wholeReply({ api }: GenerationRequest, head: Head, res: ServerResponse): Reply {
  let text = '';
  return {
    begin() {},
    token(piece, ending) {
      text += piece;
      if (!ending || isOver(res)) return;
      const end = { logprobs: null, finish_reason: ending.finishReason, stop_reason: ending.stopReason };
      const choice =
        api === 'chat' ? { index: 0, message: { role: 'assistant', content: text, tool_calls: [] }, ...end } : { index: 0, text, ...end };
      const object = api === 'chat' ? 'chat.completion' : 'text_completion';
      res.writeHead(200, { 'content-type': 'application/json' });
      res.end(JSON.stringify({ ...head, object, choices: [choice], usage: usageOf(ending) }));
    },
    fail(error) {
      if (!isOver(res)) sendError(res, error);
    },
  };
}

function streamReply({ api, includeUsage }: GenerationRequest, head: Head, res: ServerResponse): Reply {
  const object = api === 'chat' ? 'chat.completion.chunk' : 'text_completion';
  // All chunks of a stream begin alike.
  const opening = `data: ${JSON.stringify({ ...head, object }).slice(0, -1)},"choices":`;
  const chunk = (choice: object) => `${opening}[${JSON.stringify(choice)}]}\n\n`;
  let pending = api === 'chat' ? chunk(chatChoice({ role: 'assistant', content: '' }, null)) : '';
  return {
    begin() {
      res.writeHead(200, { 'content-type': 'text/event-stream; charset=utf-8', 'cache-control': 'no-cache' });
      res.flushHeaders();
    },
    token(text, ending) {
      if (isOver(res)) return;
      if (text !== '' || ending) pending += chunk(api === 'chat' ? chatChoice({ content: text }, ending) : textChoice(text, ending));
      if (ending) {
        if (includeUsage) pending += `${opening}[],"usage":${JSON.stringify(usageOf(ending))}}\n\n`;
        res.end(`${pending}data: [DONE]\n\n`);
      } else if (pending !== '') {
        res.write(pending);
      }
      pending = '';
    },
    fail(error) {
      if (!isOver(res)) res.end(`data: ${errorBody(error)}\n\n`);
    },
  };
}

function isOver(res: ServerResponse): boolean {
  return res.destroyed || res.writableEnded;
}

function chatChoice(delta: object, ending: Ending | null) {
  return {
    index: 0,
    delta,
    logprobs: null,
    finish_reason: ending?.finishReason ?? null,
    ...(ending && { stop_reason: ending.stopReason }),
  };
}

function textChoice(text: string, ending: Ending | null) {
  return { index: 0, text, logprobs: null, finish_reason: ending?.finishReason ?? null, stop_reason: ending?.stopReason ?? null };
}

function usageOf({ promptTokens, completionTokens }: Ending) {
  return { prompt_tokens: promptTokens, total_tokens: promptTokens + completionTokens, completion_tokens: completionTokens };
}

/** As vLLM's: the caller's request id where there is a sane one. */
function answerId(api: Api, given: string | string[] | undefined): string {
  const id = typeof given === 'string' && /^[\w.:-]{1,128}$/.test(given) ? given : randomUUID().replaceAll('-', '');
  return `${api === 'chat' ? 'chatcmpl' : 'cmpl'}-${id}`;
}
