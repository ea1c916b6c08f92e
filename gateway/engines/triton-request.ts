/**
 * A request of OpenAI's API as one of Triton's vLLM backend: text in, vLLM's SamplingParams beside it. What has no counterpart there is
 * refused by name: dropped in silence, it would be answered wrongly. Source: vllm_backend/src/utils/request.py, vllm/sampling_params.py.
 */
import { isDeepStrictEqual } from 'node:util';
import type { ChatTemplate, RoutedReplica } from '../../core/domain/routing.ts';
import type { CompletionRequest } from '../body/request.ts';
import { invalidField, RequestError } from '../errors.ts';
import { renderChat } from './chat-template.ts';

interface Rule {
  is: (value: unknown) => boolean;
  allowed: string;
}

const isNumber = (value: unknown): value is number => typeof value === 'number' && Number.isFinite(value);
const isString = (value: unknown) => typeof value === 'string';
const isObject = (value: unknown): value is Record<string, unknown> => typeof value === 'object' && value !== null && !Array.isArray(value);
const isListOf = (is: (value: unknown) => boolean) => (value: unknown) => Array.isArray(value) && value.every(is);
const isText = (value: unknown) => typeof value === 'string' && value !== '';

const within = (least: number, most: number): Rule => ({
  is: (value) => isNumber(value) && value >= least && value <= most,
  allowed: `a number from ${least} to ${most}`,
});
const wholeFrom = (least: number): Rule => ({
  is: (value) => Number.isInteger(value) && (value as number) >= least,
  allowed: `a whole number of at least ${least}`,
});
const above0 = (rule: Rule): Rule => ({ is: (value) => rule.is(value) && (value as number) > 0, allowed: `${rule.allowed}, above 0` });
const bool: Rule = { is: (value) => typeof value === 'boolean', allowed: 'true or false' };

/** Passed on under the same name. The backend tells a wrong one by an error of its own that names nothing, so they are looked at here. */
const SAMPLING: Readonly<Record<string, Rule>> = {
  temperature: within(0, 100),
  top_p: above0(within(0, 1)),
  top_k: wholeFrom(-1),
  min_p: within(0, 1),
  presence_penalty: within(-2, 2),
  frequency_penalty: within(-2, 2),
  repetition_penalty: above0(within(0, 2)),
  seed: wholeFrom(Number.MIN_SAFE_INTEGER),
  stop: { is: (value) => isText(value) || isListOf(isText)(value), allowed: 'a text or a list of texts, none of them empty' },
  stop_token_ids: { is: isListOf(Number.isInteger), allowed: 'a list of token ids' },
  min_tokens: wholeFrom(0),
  ignore_eos: bool,
  skip_special_tokens: bool,
  spaces_between_special_tokens: bool,
  include_stop_str_in_output: bool,
};

/** What it cannot do, with the values that ask for nothing. */
const nothingBut = (...values: unknown[]): Rule => ({
  is: (value) => values.some((one) => isDeepStrictEqual(one, value)),
  allowed: `${values.map((value) => JSON.stringify(value)).join(' or ')} or nothing`,
});
const SHARED: Readonly<Record<string, Rule>> = {
  n: nothingBut(1),
  logit_bias: nothingBut({}),
  response_format: nothingBut({ type: 'text' }),
};
const NEUTRAL: Readonly<Record<CompletionRequest['endpoint'], Readonly<Record<string, Rule>>>> = {
  chat: {
    ...SHARED,
    logprobs: nothingBut(false),
    top_logprobs: nothingBut(0),
    tools: nothingBut([]),
    functions: nothingBut([]),
    tool_choice: nothingBut('none', 'auto'),
    modalities: nothingBut(['text']),
    add_generation_prompt: nothingBut(true),
    chat_template_kwargs: { is: isObject, allowed: 'an object' },
  },
  embedding: {},
  completion: { ...SHARED, best_of: nothingBut(1), echo: nothingBut(false), suffix: nothingBut('') },
};

const ruleOf = (rules: Readonly<Record<string, Rule>>, field: string) => (Object.hasOwn(rules, field) ? rules[field] : undefined);

/** Read by the gateway, or of no consequence for an answer. */
const NO_MATTER = new Set(
  (
    'model stream stream_options max_tokens max_completion_tokens priority user metadata store service_tier safety_identifier ' +
    'prompt_cache_key parallel_tool_calls messages prompt'
  ).split(' '),
);

/** @throws RequestError 400 that names what Triton cannot do */
export function checkForTriton({ endpoint, body, maxTokens }: CompletionRequest): void {
  const fields = fieldsOf(body);
  if (endpoint === 'embedding') refuse('input', fields.input ?? fields.messages, 'nothing: it makes no embeddings');
  for (const [field, value] of Object.entries(fields)) {
    if (value === null || NO_MATTER.has(field)) continue;
    const rule = ruleOf(SAMPLING, field) ?? ruleOf(NEUTRAL[endpoint], field);
    if (!rule) refuse(field, value, 'nothing');
    if (!rule.is(value)) refuse(field, value, rule.allowed);
  }
  if (maxTokens === 0) refuse(fields.max_completion_tokens === 0 ? 'max_completion_tokens' : 'max_tokens', 0, 'at least 1');
  if (maxTokens !== null && isNumber(fields.min_tokens) && fields.min_tokens > maxTokens) {
    refuse('min_tokens', fields.min_tokens, `at most the limit of ${maxTokens} tokens`);
  }
  if (endpoint === 'chat') checkMessages(fields.messages as Record<string, unknown>[]);
  else promptOf(fields.prompt);
}

/**
 * The body for `generate_stream`. Events are asked for whether the client wants a stream or not: a server that sends nothing does not see
 * that its client is gone (triton-inference-server/server, issue 7077).
 * @throws RequestError 400
 */
export function tritonBody(request: CompletionRequest, requestId: string, { chat, kvCacheTokens }: RoutedReplica): Buffer {
  checkForTriton(request);
  const fields = fieldsOf(request.body);
  const prompt = request.endpoint === 'chat' ? chatPrompt(fields, chat ?? null) : promptOf(fields.prompt);
  // Without a limit the backend stops after 16 tokens. No answer is longer than the cache that holds it.
  const sampling: Record<string, unknown> = { max_tokens: request.maxTokens ?? kvCacheTokens };
  for (const name in SAMPLING) if (fields[name] !== undefined && fields[name] !== null) sampling[name] = fields[name];
  return Buffer.from(
    JSON.stringify({
      id: requestId,
      text_input: prompt,
      stream: true,
      sampling_parameters: JSON.stringify(sampling),
      exclude_input_in_output: true,
      return_finish_reason: true,
      return_num_input_tokens: true,
      return_num_output_tokens: true,
    }),
  );
}

/** It has been parsed before. */
const fieldsOf = (body: Buffer) => JSON.parse(body.toString('utf8')) as Record<string, unknown>;

function refuse(field: string, given: unknown, allowed: string): never {
  throw new RequestError(invalidField(field, given, `${allowed}, as this model is served by Triton`));
}

/** One text: it takes no lists, and no token ids. */
function promptOf(prompt: unknown): string {
  const one = Array.isArray(prompt) && prompt.length === 1 ? prompt[0] : prompt;
  if (typeof one !== 'string' || one === '') refuse('prompt', prompt, 'one text that is not empty');
  return one;
}

const ROLES = ['system', 'developer', 'user', 'assistant'];

function checkMessages(messages: readonly Record<string, unknown>[]): void {
  if (messages.length === 0) refuse('messages', messages, 'at least one message');
  for (const [i, { role, content, tool_calls: calls, function_call: call }] of messages.entries()) {
    const at = `messages[${i}]`;
    if (!ROLES.includes(role as string)) refuse(`${at}.role`, role, `one of ${ROLES.join(', ')}`);
    if (calls && !isListOf(() => false)(calls)) refuse(`${at}.tool_calls`, calls, 'nothing');
    if (call) refuse(`${at}.function_call`, call, 'nothing');
    if (isString(content)) continue;
    if (!Array.isArray(content)) refuse(`${at}.content`, content, 'a text or a list of texts');
    for (const [j, part] of content.entries()) {
      if (!isObject(part) || part.type !== 'text') refuse(`${at}.content[${j}].type`, isObject(part) ? part.type : part, '"text"');
      if (!isString(part.text)) refuse(`${at}.content[${j}].text`, part.text, 'a text');
    }
  }
}

function chatPrompt(fields: Record<string, unknown>, chat: ChatTemplate | null): string {
  const messages = fields.messages as Record<string, unknown>[];
  if (!chat) throw new RequestError(invalidField('messages', messages, 'none: the model has no chat template; use /v1/completions'));
  return renderChat(chat, messages.map(withPlainText), (fields.chat_template_kwargs as Record<string, unknown> | undefined) ?? {});
}

/** Templates of text models take a message's content as one text; parts are joined as vLLM joins them. */
function withPlainText(message: Record<string, unknown>): Record<string, unknown> {
  const { content } = message;
  return Array.isArray(content) ? { ...message, content: content.map(({ text }: { text: string }) => text).join('\n') } : message;
}
