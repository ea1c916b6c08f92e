/** Bodies of `/v1/completions` and `/v1/chat/completions`, as far as they matter to an engine that only imitates. */
import { z } from 'zod';
import { parseInput } from '../../core/domain/validate.ts';
import { type Structure, structureFields, structureOf } from './structure.ts';

/** The API that a request came by; it decides the form of the answer. */
export type Api = 'chat' | 'completions';

export interface GenerationRequest {
  api: Api;
  model: string;
  /** What the answer is keyed by. */
  content: string;
  inputTokens: number;
  /** null: as far as the context reaches. */
  maxTokens: number | null;
  minTokens: number;
  ignoreEos: boolean;
  /** Exact length of the answer, for load generation against simulated engines. */
  exactTokens: number | null;
  stop: readonly string[];
  /** Answers to the one prompt. */
  choices: number;
  /** What the answer is to be, where its form was asked for; null for free text. */
  structure: Structure | null;
  /** Lower goes sooner. */
  priority: number;
  stream: boolean;
  /** End a stream with a chunk that carries the usage. */
  includeUsage: boolean;
}

const BYTES_PER_TOKEN = 4;
/** Role, separators and end of turn that a chat template adds to each message. */
const TEMPLATE_TOKENS_PER_MESSAGE = 4;
/** vLLM's default on `/v1/completions`, which is OpenAI's. */
const COMPLETIONS_DEFAULT_MAX_TOKENS = 16;

/** OpenAI's limit. */
const MAX_CHOICES = 128;

const tokens = z.number().int().min(1);
const common = {
  model: z.string(),
  stream: z.boolean().nullish(),
  stream_options: z.looseObject({ include_usage: z.boolean().nullish() }).nullish(),
  max_tokens: tokens.nullish(),
  min_tokens: z.number().int().min(0).nullish(),
  ignore_eos: z.boolean().nullish(),
  stop: z.union([z.string(), z.array(z.string())]).nullish(),
  priority: z.number().int().nullish(),
  n: z.number().int().min(1).max(MAX_CHOICES).nullish(),
  // Without the prompt and without probabilities: what would change that is refused rather than ignored.
  best_of: z.literal(1).nullish(),
  echo: z.literal(false).nullish(),
  logprobs: z.literal(false).nullish(),
  simulated_output_tokens: tokens.nullish(),
};

type TextPart = { type: 'text'; text: string };
const isTextPart = (value: unknown): value is TextPart =>
  (value as TextPart | null)?.type === 'text' && typeof (value as TextPart).text === 'string';
const isTokenId = (value: unknown) => Number.isInteger(value);
const isTokenIds = (value: unknown) => Array.isArray(value) && value.length > 0 && value.every(isTokenId);

const contentSchema = z.custom<string | TextPart[]>(
  (value) => typeof value === 'string' || (Array.isArray(value) && value.every(isTextPart)),
  'a text, or a list of parts of type "text": simulated engines read nothing else',
);
const promptSchema = z.custom<string | [string] | number[]>(
  (value) =>
    typeof value === 'string' ||
    (Array.isArray(value) && ((value.length === 1 && typeof value[0] === 'string') || (value.length > 0 && value.every(isTokenId)))),
  'one text, or its token ids',
);

/** What may be embedded: a prompt, or several of one kind. */
export const promptsSchema = z.custom<string | number[] | string[] | number[][]>(
  (value) =>
    typeof value === 'string' ||
    (Array.isArray(value) &&
      value.length > 0 &&
      (value.every((one) => typeof one === 'string') || value.every(isTokenId) || value.every((one) => isTokenIds(one)))),
  'a text, its token ids, or a list of either',
);

const chatSchema = z.looseObject({
  ...common,
  ...structureFields,
  max_completion_tokens: tokens.nullish(),
  messages: z.array(z.looseObject({ role: z.string(), content: contentSchema.nullish() })).min(1),
});
const completionsSchema = z.looseObject({ ...common, prompt: promptSchema });

/** @throws invalid-input that names the field */
export function parseRequest(api: Api, body: unknown): GenerationRequest {
  return api === 'chat' ? parseChat(body) : parseCompletions(body);
}

/** The model that a body asks for, readable before the rest is valid: an unknown model is reported first, as vLLM does. */
export function modelOf(body: unknown): string | null {
  const model = (body as { model?: unknown } | null)?.model;
  return typeof model === 'string' ? model : null;
}

function parseChat(value: unknown): GenerationRequest {
  const body = parseInput(chatSchema, value, 'request');
  const content = body.messages.map((m) => `${m.role}: ${textOf(m.content)}`).join('\n');
  return {
    ...shared(body),
    api: 'chat',
    content,
    inputTokens: tokensOf(content) + TEMPLATE_TOKENS_PER_MESSAGE * body.messages.length,
    maxTokens: body.max_completion_tokens ?? body.max_tokens ?? null,
    // An exact length leaves a form no room.
    structure: body.simulated_output_tokens ? null : structureOf(body, body.messages.at(-1)!.role),
  };
}

function parseCompletions(value: unknown): GenerationRequest {
  const body = parseInput(completionsSchema, value, 'request');
  const prompt = Array.isArray(body.prompt) && typeof body.prompt[0] === 'string' ? body.prompt[0] : (body.prompt as string | number[]);
  return {
    ...shared(body),
    api: 'completions',
    structure: null,
    content: contentOf(prompt),
    inputTokens: tokensOfPrompt(prompt),
    maxTokens: body.max_tokens ?? (body.simulated_output_tokens ? null : COMPLETIONS_DEFAULT_MAX_TOKENS),
  };
}

function shared(body: z.output<z.ZodObject<typeof common>>) {
  return {
    model: body.model,
    minTokens: body.min_tokens ?? 0,
    ignoreEos: body.ignore_eos ?? false,
    exactTokens: body.simulated_output_tokens ?? null,
    stop: [body.stop ?? []].flat().filter((text) => text !== ''),
    choices: body.n ?? 1,
    priority: body.priority ?? 0,
    stream: body.stream ?? false,
    includeUsage: body.stream_options?.include_usage ?? false,
  };
}

function textOf(content: string | TextPart[] | null | undefined): string {
  return typeof content === 'string' ? content : (content ?? []).map((part) => part.text).join('');
}

/** What an answer to a prompt is keyed by. */
export function contentOf(prompt: string | readonly number[]): string {
  return String(prompt);
}

export function tokensOfPrompt(prompt: string | readonly number[]): number {
  return typeof prompt === 'string' ? tokensOf(prompt) : prompt.length;
}

function tokensOf(text: string): number {
  return Math.max(1, Math.ceil(Buffer.byteLength(text) / BYTES_PER_TOKEN));
}
