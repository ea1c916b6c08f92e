/** Answers in the form of vLLM's OpenAI server, whole or as a stream of server-sent events; one write to the socket a step. */
import { randomUUID } from 'node:crypto';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { type ApiError, errorBody, sendError } from './errors.ts';
import type { Api, GenerationRequest } from './request.ts';
import type { Structure } from './structure.ts';

/** Said in every body, beside the header of every response. */
const SYSTEM_FINGERPRINT = 'simulated';

export interface Ending {
  finishReason: 'stop' | 'length' | 'tool_calls';
  stopReason: string | null;
  promptTokens: number;
  completionTokens: number;
}

export interface Reply {
  /** The engine has taken the request: a stream sends its headers. */
  begin(): void;
  /** One token's text of one choice; with `ending`, its last one. Nothing where the client has left. */
  token(choice: number, text: string, ending: Ending | null): void;
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

function wholeReply({ api, choices: count, structure }: GenerationRequest, head: Head, res: ServerResponse): Reply {
  const texts = new Array<string>(count).fill('');
  const endings = new Array<Ending>(count);
  let ended = 0;
  return {
    begin() {},
    token(index, piece, ending) {
      texts[index] += piece;
      if (!ending) return;
      endings[index] = ending;
      ended += 1;
      if (ended < count || isOver(res)) return;
      const choices = endings.map(({ finishReason, stopReason }, i) => {
        const end = { logprobs: null, finish_reason: finishReason, stop_reason: stopReason };
        const text = texts[i]!;
        return api === 'chat' ? { index: i, message: messageOf(text, structure, head, i), ...end } : { index: i, text, ...end };
      });
      const object = api === 'chat' ? 'chat.completion' : 'text_completion';
      res.writeHead(200, { 'content-type': 'application/json' });
      res.end(JSON.stringify({ ...head, object, choices, usage: usageOf(endings) }));
    },
    fail(error) {
      if (!isOver(res)) sendError(res, error);
    },
  };
}

function messageOf(text: string, structure: Structure | null, head: Head, index: number) {
  if (!structure?.tool) return { role: 'assistant', content: text, tool_calls: [] };
  const call = { id: callId(head, index), type: 'function', function: { name: structure.tool, arguments: text } };
  return { role: 'assistant', content: null, tool_calls: [call] };
}

const callId = (head: Head, index: number) => `call-${head.id}-${index}`;

function streamReply({ api, includeUsage, choices: count, structure }: GenerationRequest, head: Head, res: ServerResponse): Reply {
  const object = api === 'chat' ? 'chat.completion.chunk' : 'text_completion';
  // All chunks of a stream begin alike.
  const opening = `data: ${JSON.stringify({ ...head, object }).slice(0, -1)},"choices":`;
  const chunk = (choice: object) => `${opening}[${JSON.stringify(choice)}]}\n\n`;
  const tool = structure?.tool ?? null;
  let pending = '';
  for (let i = 0; api === 'chat' && i < count; i++) {
    pending += chunk(chatChoice(i, { role: 'assistant', content: tool === null ? '' : null }, null));
    const call = { index: 0, id: callId(head, i), type: 'function', function: { name: tool, arguments: '' } };
    if (tool !== null) pending += chunk(chatChoice(i, { tool_calls: [call] }, null));
  }
  const deltaOf = (text: string) => (tool === null ? { content: text } : { tool_calls: [{ index: 0, function: { arguments: text } }] });
  const endings: Ending[] = [];
  return {
    begin() {
      res.writeHead(200, { 'content-type': 'text/event-stream; charset=utf-8', 'cache-control': 'no-cache' });
      res.flushHeaders();
    },
    token(index, text, ending) {
      if (isOver(res)) return;
      if (text !== '' || ending) {
        pending += chunk(api === 'chat' ? chatChoice(index, deltaOf(text), ending) : textChoice(index, text, ending));
      }
      if (ending) endings.push(ending);
      if (endings.length === count) {
        if (includeUsage) pending += `${opening}[],"usage":${JSON.stringify(usageOf(endings))}}\n\n`;
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

function chatChoice(index: number, delta: object, ending: Ending | null) {
  return {
    index,
    delta,
    logprobs: null,
    finish_reason: ending?.finishReason ?? null,
    ...(ending && { stop_reason: ending.stopReason }),
  };
}

function textChoice(index: number, text: string, ending: Ending | null) {
  return { index, text, logprobs: null, finish_reason: ending?.finishReason ?? null, stop_reason: ending?.stopReason ?? null };
}

/** The prompt of several choices is read once. */
function usageOf(endings: readonly Ending[]) {
  const { promptTokens } = endings[0]!;
  const completionTokens = endings.reduce((sum, ending) => sum + ending.completionTokens, 0);
  return { prompt_tokens: promptTokens, total_tokens: promptTokens + completionTokens, completion_tokens: completionTokens };
}

/** As vLLM's: the caller's request id where there is a sane one. */
function answerId(api: Api, given: string | string[] | undefined): string {
  const id = typeof given === 'string' && /^[\w.:-]{1,128}$/.test(given) ? given : randomUUID().replaceAll('-', '');
  return `${api === 'chat' ? 'chatcmpl' : 'cmpl'}-${id}`;
}
