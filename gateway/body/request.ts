/**
 * What the gateway reads of a request's body, and the body that it forwards. Everything that is not named here passes untouched. The body
 * is walked over in its bytes (`json-scan.ts`); no value is made of the prompt.
 */
import type { PromptParts } from '../../core/profiler/text/sketch.ts';
import { invalidField, RequestError } from '../errors.ts';
import { type Span, type TextSpan, valueAt } from './json-scan.ts';
import { type Change, spliceObject } from './json-splice.ts';
import {
  type PromptSize,
  partsOfChat,
  partsOfCompletion,
  piecesOfMessages,
  piecesOfPrompt,
  promptsIn,
  sizeOfMessages,
  sizeOfPrompt,
} from './prompt.ts';
import type { Messages, PromptList } from './prompt-scan.ts';
import { RequestFields } from './request-fields.ts';

export type Endpoint = 'chat' | 'completion' | 'embedding';

export const ENDPOINT_PATHS: Readonly<Record<string, Endpoint>> = {
  '/v1/chat/completions': 'chat',
  '/v1/completions': 'completion',
  '/v1/embeddings': 'embedding',
};

export interface CompletionRequest {
  endpoint: Endpoint;
  body: Buffer;
  model: string;
  streamed: boolean;
  /** The client asked for the usage chunk at the end of its stream. */
  wantsUsage: boolean;
  /** Limit of the output, tokens; null where the client set none and the API has none by itself. */
  maxTokens: number | null;
  /** Answers asked for, of all prompts. */
  choices: number;
  prompt: PromptSize;
  /** Keys that we may have to change, and where their values lie; null where they are absent. */
  given: {
    streamOptionsAt: Span | null;
    priorityAt: Span | null;
    modelAt: Span | null;
  };
}

/** A request with its prompt, of which nobody keeps more than the body. */
export interface ReadRequest extends CompletionRequest {
  /** The prompt in pieces as they are written in the body, from its beginning up to the first thing that is no text. */
  pieces: () => Buffer[];
  /** What the profiler may look at; null where the prompt is no text. */
  promptParts: () => PromptParts | null;
}

/** OpenAI's own limit for completions that set none; chat has none. */
const DEFAULT_COMPLETION_TOKENS = 16;
/** No engine answers more often, or longer: a limit beyond is none. vLLM's own bound on `n` (VLLM_MAX_N_SEQUENCES). */
const MAX_CHOICES = 16_384;
const MAX_TOKENS = 2 ** 31 - 1;
const NO_PIECES = () => [];
const NO_PARTS = () => null;
/** Of a completion without a prompt. */
const NO_TEXT: TextSpan = { start: 0, end: 0, characters: 0, escaped: false };
const NO_PROMPT: PromptSize = { characters: 0, bytes: 0, tokens: 0 };

/** @throws RequestError 400 for what is not a JSON object or has a field of the wrong type */
export function readRequest(endpoint: Endpoint, body: Buffer): ReadRequest {
  const fields = new RequestFields(body);
  const model = fields.checked('model', isModelName, 'the name of a served model');
  const streamed = fields.checked('stream', isOptionalBoolean, 'true or false') ?? false;
  const includeUsage = fields.checked('stream_options', isOptionalObject, 'an object')?.include_usage;
  const choices = fields.checked('n', isOptionalChoices, `a whole number from 1 to ${MAX_CHOICES}`) ?? 1;
  const maxTokens = fields.checked('max_tokens', isOptionalCount, 'a whole number of at least 0');
  if (includeUsage != null && !isBoolean(includeUsage))
    throw new RequestError(invalidField('stream_options.include_usage', includeUsage, 'true or false'));
  const completionLimit = fields.checked('max_completion_tokens', isOptionalCount, 'a whole number of at least 0');
  // One literal with every field: copies of another would each have to be given a shape anew.
  const request: ReadRequest = {
    endpoint,
    body,
    model,
    streamed,
    wantsUsage: includeUsage === true,
    maxTokens: null,
    choices,
    prompt: NO_PROMPT,
    given: {
      streamOptionsAt: fields.span('stream_options'),
      priorityAt: fields.span('priority'),
      modelAt: fields.span('model'),
    },
    pieces: NO_PIECES,
    promptParts: NO_PARTS,
  };
  if (endpoint === 'embedding') {
    // vLLM takes messages in the place of the input, too.
    const messages = messagesOf(fields, true);
    request.prompt = messages ? sizeOfMessages(messages) : sizeOfPrompt(promptOf(fields, 'input'));
    request.streamed = false;
    request.choices = 1;
  } else if (endpoint === 'chat') {
    const messages = messagesOf(fields, false)!;
    request.prompt = sizeOfMessages(messages);
    request.maxTokens = atMost(MAX_TOKENS, completionLimit ?? maxTokens ?? null);
    request.pieces = () => piecesOfMessages(body, messages.list);
    request.promptParts = () => partsOfChat(fields, messages.list);
  } else {
    const prompt = fields.hasNone('prompt') ? NO_TEXT : promptOf(fields, 'prompt');
    request.prompt = sizeOfPrompt(prompt);
    request.maxTokens = atMost(MAX_TOKENS, maxTokens ?? DEFAULT_COMPLETION_TOKENS);
    request.choices = choices * promptsIn(prompt);
    request.pieces = () => piecesOfPrompt(body, prompt);
    request.promptParts = () => partsOfCompletion(fields, prompt);
  }
  return request;
}

/** Once its prompt has been looked at: a request may be open for long, and would hold all that leads to its text. */
export function forgetPrompt(request: ReadRequest): void {
  request.pieces = NO_PIECES;
  request.promptParts = NO_PARTS;
}

/**
 * The bytes for an engine that speaks this API: those of the client, with the usage option where the stream would not tell its tokens, and
 * with the priority of its policy (vLLM's is inverted: lower goes first). @param model the name that the engine knows
 */
export function forwardedBody(request: CompletionRequest, priority: number, model = request.model): Buffer {
  const changes: Change[] = [];
  const { streamOptionsAt, priorityAt, modelAt } = request.given;
  if (model !== request.model) changes.push({ key: 'model', value: JSON.stringify(model), at: modelAt });
  if (request.streamed && !request.wantsUsage) {
    changes.push({
      key: 'stream_options',
      value: withUsage(streamOptionsAt && valueAt(request.body, streamOptionsAt)),
      at: streamOptionsAt,
    });
  }
  // Pooling engines know no priority, and some refuse what they do not know.
  if (priorityAt !== null || (priority !== 0 && request.endpoint !== 'embedding'))
    changes.push({ key: 'priority', value: String(-priority || 0), at: priorityAt });
  return spliceObject(request.body, changes);
}

/** @param options as they were checked when the request came */
function withUsage(options: unknown): string {
  try {
    return JSON.stringify({ ...(options as object | null), include_usage: true });
  } catch {
    throw new RequestError(invalidField('stream_options', options, 'options that are not nested so deeply'));
  }
}

const isObject = (value: unknown): value is Record<string, unknown> => typeof value === 'object' && value !== null && !Array.isArray(value);
const isBoolean = (value: unknown): value is boolean => typeof value === 'boolean';
const isCount = (value: unknown): value is number => Number.isInteger(value) && (value as number) >= 0;
const isChoices = (value: unknown): value is number => isCount(value) && value >= 1 && value <= MAX_CHOICES;
const isModelName = (value: unknown): value is string => typeof value === 'string' && value.length > 0;

const isOptionalBoolean = optional(isBoolean);
const isOptionalObject = optional(isObject);
const isOptionalChoices = optional(isChoices);
const isOptionalCount = optional(isCount);

function optional<T>(is: (value: unknown) => value is T): (value: unknown) => value is T | null | undefined {
  return (value): value is T | null | undefined => value === undefined || value === null || is(value);
}

const atMost = <T extends number | null>(most: number, count: T) => (count === null ? count : Math.min(most, count));

/** @returns null where they are optional and not there */
function messagesOf(fields: RequestFields, areOptional: boolean): Messages | null {
  const { messages } = fields;
  if (messages) return messages;
  const given = fields.value('messages');
  if (areOptional && given == null) return null;
  throw new RequestError(invalidField('messages', given, 'a list of messages, each an object with a role'));
}

function promptOf(fields: RequestFields, name: string): TextSpan | PromptList {
  const prompt = fields.prompt(name);
  if (prompt) return prompt;
  throw new RequestError(invalidField(name, fields.value(name), 'a string, a list of strings, or a list of token ids'));
}
