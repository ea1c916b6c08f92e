/** Bodies of `/v1/completions` and `/v1/chat/completions`, as far as they matter to an engine that only imitates. */
import { z } from 'zod';
import { parseInput } from '../../core/domain/validate.ts';

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
  // One choice, without the prompt and without probabilities: what would change that is refused rather than ignored.
  n: z.literal(1).nullish(),
  best_of: z.literal(1).nullish(),
  echo: z.literal(false).nullish(),
  logprobs: z.literal(false).nullish(),
  simulated_output_tokens: tokens.nullish(),
};

type TextPart = { type: 'text'; text: string };
const isTextPart = (value: unknown): value is TextPart =>
  (value as TextPart | null)?.type === 'text' && typeof (value as TextPart).text === 'string';
const isTokenId = (value: unknown) => Number.isInteger(value);

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

const chatSchema = z.looseObject({
  ...common,
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
  };
}

function parseCompletions(value: unknown): GenerationRequest {
  const body = parseInput(completionsSchema, value, 'request');
  const content = String(body.prompt);
  return {
    ...shared(body),
    api: 'completions',
    content,
    inputTokens: typeof body.prompt[0] === 'number' ? body.prompt.length : tokensOf(content),
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
    priority: body.priority ?? 0,
    stream: body.stream ?? false,
    includeUsage: body.stream_options?.include_usage ?? false,
  };
}

function textOf(content: string | TextPart[] | null | undefined): string {
  return typeof content === 'string' ? content : (content ?? []).map((part) => part.text).join('');
}

function tokensOf(text: string): number {
  return Math.max(1, Math.ceil(Buffer.byteLength(text) / BYTES_PER_TOKEN));
}
