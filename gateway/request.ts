/**
 * What the gateway reads of a request's body, and the body that it forwards. Everything that is not named here passes untouched. All
 * knowledge of the body is in this file, so that a scanner of the top-level keys can take the parser's place.
 */
import { messageOf } from '../core/domain/errors.ts';
import type { PromptParts } from '../core/profiler/text/sketch.ts';
import { invalidField, malformedJson, RequestError } from './errors.ts';
import { type Change, spliceObject } from './json-splice.ts';

export type Endpoint = 'chat' | 'completion';

export const ENDPOINT_PATHS: Readonly<Record<string, Endpoint>> = {
  '/v1/chat/completions': 'chat',
  '/v1/completions': 'completion',
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
  /** Answers asked for. */
  choices: number;
  prompt: PromptSize;
  /** Keys that we may have to change, as they came; absent ones are undefined. */
  given: { streamOptions: Record<string, unknown> | null | undefined; priority: unknown };
}

/** A request with its prompt, which nobody keeps. */
export interface ReadRequest extends CompletionRequest {
  /** The prompt's text in pieces, from its beginning up to the first thing that is no text. */
  texts: () => string[];
  /** What the profiler may look at; null where the prompt is no text. */
  promptParts: () => PromptParts | null;
}

/** Length of the prompt: of text only its characters are known before the engine has tokenized it. */
export interface PromptSize {
  characters: number;
  tokens: number;
}

/** OpenAI's own limit for completions that set none; chat has none. */
const DEFAULT_COMPLETION_TOKENS = 16;

/** @throws RequestError 400 for what is not a JSON object or has a field of the wrong type */
export function readRequest(endpoint: Endpoint, body: Buffer): ReadRequest {
  const object = parseObject(body);
  const field = <T>(name: string, is: (value: unknown) => value is T, allowed: string): T => {
    const value = object[name];
    if (!is(value)) throw new RequestError(invalidField(name, value, allowed));
    return value;
  };
  const model = field('model', isModelName, 'the name of a served model');
  const streamed = field('stream', optional(isBoolean), 'true or false') ?? false;
  const streamOptions = field('stream_options', optional(isObject), 'an object');
  const choices = field('n', optional(isPositive), 'a whole number of at least 1') ?? 1;
  const maxTokens = field('max_tokens', optional(isCount), 'a whole number of at least 0');
  const completionLimit = field('max_completion_tokens', optional(isCount), 'a whole number of at least 0');
  const shared = {
    body,
    model,
    streamed,
    wantsUsage: streamOptions?.include_usage === true,
    choices,
    given: { streamOptions, priority: object.priority },
  };
  if (endpoint === 'chat') {
    const messages = field('messages', isMessages, 'a list of messages, each an object with a role');
    const limit = completionLimit ?? maxTokens ?? null;
    return {
      ...shared,
      endpoint,
      maxTokens: limit,
      prompt: sizeOfMessages(messages),
      texts: () => textsOfMessages(messages),
      promptParts: () => partsOfChat(messages, object),
    };
  }
  const prompt = field('prompt', optional(isPrompt), 'a string, a list of strings, or a list of token ids') ?? '';
  const limit = maxTokens ?? DEFAULT_COMPLETION_TOKENS;
  return {
    ...shared,
    endpoint,
    maxTokens: limit,
    prompt: sizeOfPrompt(prompt),
    texts: () => textsOfPrompt(prompt),
    promptParts: () => partsOfCompletion(prompt, object),
  };
}

/**
 * The bytes for an engine that speaks this API: those of the client, with the usage option where the stream would not tell its tokens, and
 * with the priority of its policy (vLLM's is inverted: lower goes first).
 */
export function forwardedBody(request: CompletionRequest, priority: number): Buffer {
  const changes: Change[] = [];
  const { streamOptions, priority: givenPriority } = request.given;
  if (request.streamed && !request.wantsUsage) {
    const value = JSON.stringify({ ...streamOptions, include_usage: true });
    changes.push({ key: 'stream_options', value, present: streamOptions !== undefined });
  }
  if (priority !== 0 || givenPriority !== undefined) {
    changes.push({ key: 'priority', value: String(-priority || 0), present: givenPriority !== undefined });
  }
  return spliceObject(request.body, changes);
}

function parseObject(body: Buffer): Record<string, unknown> {
  let parsed: unknown;
  try {
    parsed = JSON.parse(body.toString('utf8'));
  } catch (error) {
    throw new RequestError(malformedJson(parseFailure(messageOf(error))));
  }
  if (!isObject(parsed)) throw new RequestError(malformedJson(`it is ${Array.isArray(parsed) ? 'a list' : `a ${typeof parsed}`}`));
  return parsed;
}

/** Where it broke, never what stood there: parsers quote the text around an error, and that may be the prompt. */
function parseFailure(message: string): string {
  if (/end of JSON/.test(message)) return 'it ends too early';
  const position = /at position \d+/.exec(message)?.[0];
  return position ? `it does not parse ${position}` : 'it does not parse';
}

const isObject = (value: unknown): value is Record<string, unknown> => typeof value === 'object' && value !== null && !Array.isArray(value);
const isBoolean = (value: unknown): value is boolean => typeof value === 'boolean';
const isCount = (value: unknown): value is number => Number.isInteger(value) && (value as number) >= 0;
const isPositive = (value: unknown): value is number => Number.isInteger(value) && (value as number) >= 1;
const isModelName = (value: unknown): value is string => typeof value === 'string' && value.length > 0;
const isMessages = (value: unknown): value is Record<string, unknown>[] => Array.isArray(value) && value.every(isObject);

type Prompt = string | readonly (string | number | readonly number[])[];
function isPrompt(value: unknown): value is Prompt {
  if (typeof value === 'string') return true;
  if (!Array.isArray(value)) return false;
  return isTokens(value) || value.every((item) => typeof item === 'string') || value.every((item) => Array.isArray(item) && isTokens(item));
}
const isTokens = (value: readonly unknown[]): value is number[] => value.every((item) => typeof item === 'number');

function optional<T>(is: (value: unknown) => value is T): (value: unknown) => value is T | null | undefined {
  return (value): value is T | null | undefined => value === undefined || value === null || is(value);
}

function sizeOfMessages(messages: readonly Record<string, unknown>[]): PromptSize {
  let characters = 0;
  for (const { content } of messages) {
    if (typeof content === 'string') characters += content.length;
    else if (Array.isArray(content))
      for (const part of content) if (isObject(part) && typeof part.text === 'string') characters += part.text.length;
  }
  return { characters, tokens: 0 };
}

function sizeOfPrompt(prompt: Prompt): PromptSize {
  const size: PromptSize = { characters: 0, tokens: 0 };
  if (typeof prompt === 'string') return { ...size, characters: prompt.length };
  for (const item of prompt) {
    if (typeof item === 'string') size.characters += item.length;
    else size.tokens += typeof item === 'number' ? 1 : item.length;
  }
  return size;
}

function textsOfMessages(messages: readonly Record<string, unknown>[]): string[] {
  const texts: string[] = [];
  for (const { role, content } of messages) {
    texts.push(String(role));
    if (typeof content === 'string') texts.push(content);
    if (!Array.isArray(content)) continue;
    for (const part of content) {
      if (!isObject(part) || typeof part.text !== 'string') return texts;
      texts.push(part.text);
    }
  }
  return texts;
}

/** Several prompts are several sequences for an engine: only the first is looked at. */
function textsOfPrompt(prompt: Prompt): string[] {
  const first = typeof prompt === 'string' ? prompt : prompt[0];
  return typeof first === 'string' ? [first] : [];
}

const USER = 'user';
const ASSISTANT = 'assistant';
const SYSTEM = new Set<unknown>(['system', 'developer']);

/** What is asked for is the last message of the user; what the model said before tells how long it answers here. */
function partsOfChat(messages: readonly Record<string, unknown>[], body: Record<string, unknown>): PromptParts | null {
  const asked = messages.filter(({ role }) => role === USER);
  const answers = messages.filter(({ role }) => role === ASSISTANT);
  const last = asked.at(-1) ?? messages.at(-1);
  if (!last) return null;
  const answerCharacters = sizeOfMessages(answers).characters;
  return {
    prompt: textOf(last),
    system: messages
      .filter(({ role }) => SYSTEM.has(role))
      .map(textOf)
      .join('\n'),
    turn: Math.max(0, asked.length - 1),
    earlierAnswerCharacters: answers.length > 0 ? answerCharacters / answers.length : 0,
    temperature: temperatureOf(body),
    tools: Array.isArray(body.tools) && body.tools.length > 0,
  };
}

function partsOfCompletion(prompt: Prompt, body: Record<string, unknown>): PromptParts | null {
  const [text] = textsOfPrompt(prompt);
  if (text === undefined) return null;
  return { prompt: text, system: '', turn: 0, earlierAnswerCharacters: 0, temperature: temperatureOf(body), tools: false };
}

function textOf({ content }: Record<string, unknown>): string {
  if (typeof content === 'string') return content;
  if (!Array.isArray(content)) return '';
  return content.map((part) => (isObject(part) && typeof part.text === 'string' ? part.text : '')).join('\n');
}

function temperatureOf({ temperature }: Record<string, unknown>): number | null {
  return typeof temperature === 'number' && Number.isFinite(temperature) ? temperature : null;
}
