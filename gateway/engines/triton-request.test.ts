import { describe, expect, it } from 'vitest';
import { routedReplica } from '../../test/support/gateway.ts';
import { type Endpoint, readRequest } from '../body/request.ts';
import { RequestError } from '../errors.ts';
import { checkForTriton, tritonBody } from './triton-request.ts';

const chat = {
  template: "{{ bos_token }}{% for m in messages %}[{{ m.role }}] {{ m.content }}\n{% endfor %}[{{ style or 'assistant' }}]",
  bosToken: '<s>',
  eosToken: '</s>',
};
const replica = routedReplica({ replicaId: 'r', endpoint: 'http://x', engine: 'triton', kvCacheTokens: 9000, chat });
const read = (body: object | string, endpoint: Endpoint) =>
  readRequest(endpoint, Buffer.from(typeof body === 'string' ? body : JSON.stringify({ model: 'm', ...body })));
const written = (body: object, endpoint: Endpoint = 'completion') => {
  const { sampling_parameters: sampling, ...rest } = JSON.parse(tritonBody(read(body, endpoint), 'id-1', replica).toString());
  return { ...rest, sampling: JSON.parse(sampling) };
};
const hello = { messages: [{ role: 'user', content: 'hello' }] };

describe('a request to Triton', () => {
  it('has the prompt as text, and what it is to be sampled by beside it', () => {
    const given = {
      prompt: 'Once',
      max_tokens: 7,
      temperature: 0,
      stop: ['\n'],
      seed: 3,
      ignore_eos: true,
      top_p: null,
      user: 'u',
      n: 1,
      priority: 4,
    };
    expect(written(given)).toEqual({
      id: 'id-1',
      text_input: 'Once',
      stream: true,
      exclude_input_in_output: true,
      return_finish_reason: true,
      return_num_input_tokens: true,
      return_num_output_tokens: true,
      sampling: { max_tokens: 7, temperature: 0, stop: ['\n'], seed: 3, ignore_eos: true },
    });
    expect(written({ prompt: ['one'] }).text_input).toBe('one');
  });

  it('sets a limit where the client sets none: OpenAI’s for a completion, the cache for a chat', () => {
    expect(written({ prompt: 'x' }).sampling.max_tokens).toBe(16);
    expect(written(hello, 'chat').sampling.max_tokens).toBe(9000);
    expect(written({ ...hello, max_completion_tokens: 5, max_tokens: 9 }, 'chat').sampling.max_tokens).toBe(5);
  });

  it('writes a chat by the template, without the token that the tokenizer puts in front', () => {
    const parts = [
      { type: 'text', text: 'a' },
      { type: 'text', text: 'b' },
    ];
    const messages = [
      { role: 'system', content: 'Be brief.' },
      { role: 'user', content: parts },
    ];
    expect(written({ messages }, 'chat').text_input).toBe('[system] Be brief.\n[user] a\nb\n[assistant]');
    expect(written({ ...hello, chat_template_kwargs: { style: 'poet' } }, 'chat').text_input).toBe('[user] hello\n[poet]');
  });

  it('is not made where the model has no template', () => {
    const bare = { ...replica, chat: null };
    expect(() => tritonBody(read(hello, 'chat'), 'id', bare)).toThrow(/no chat template; use \/v1\/completions/);
  });
});

describe('what Triton cannot do is refused by name', () => {
  const refusal = (body: object | string, endpoint: Endpoint) => {
    const request = read(body, endpoint);
    try {
      checkForTriton(request);
    } catch (error) {
      if (error instanceof RequestError) return error.error;
      throw error;
    }
    return null;
  };

  it.each<[string, object, Endpoint]>([
    ['tools', { ...hello, tools: [{ type: 'function' }] }, 'chat'],
    ['tool_choice', { ...hello, tool_choice: 'required' }, 'chat'],
    ['logprobs', { ...hello, logprobs: true }, 'chat'],
    ['top_logprobs', { ...hello, top_logprobs: 3 }, 'chat'],
    ['logprobs', { prompt: 'x', logprobs: 0 }, 'completion'],
    ['n', { prompt: 'x', n: 2 }, 'completion'],
    ['best_of', { prompt: 'x', best_of: 2 }, 'completion'],
    ['echo', { prompt: 'x', echo: true }, 'completion'],
    ['suffix', { prompt: 'x', suffix: 'y' }, 'completion'],
    ['logit_bias', { prompt: 'x', logit_bias: { 5: 1 } }, 'completion'],
    ['response_format', { ...hello, response_format: { type: 'json_object' } }, 'chat'],
    ['structured_outputs', { prompt: 'x', structured_outputs: { choice: ['a'] } }, 'completion'],
    ['lora_name', { prompt: 'x', lora_name: 'l' }, 'completion'],
    ['constructor', { prompt: 'x', constructor: 1 }, 'completion'],
    ['temperature', { prompt: 'x', temperature: '1' }, 'completion'],
    ['top_p', { prompt: 'x', top_p: 0 }, 'completion'],
    ['stop', { prompt: 'x', stop: ['a', ''] }, 'completion'],
    ['max_tokens', { prompt: 'x', max_tokens: 0 }, 'completion'],
    ['min_tokens', { prompt: 'x', max_tokens: 2, min_tokens: 3 }, 'completion'],
    ['prompt', { prompt: [1, 2, 3] }, 'completion'],
    ['prompt', { prompt: ['a', 'b'] }, 'completion'],
    ['prompt', {}, 'completion'],
    ['messages', { messages: [] }, 'chat'],
    [
      'messages[0].content[1].type',
      { messages: [{ role: 'user', content: [{ type: 'text', text: 'a' }, { type: 'image_url' }] }] },
      'chat',
    ],
    ['messages[1].tool_calls', { messages: [...hello.messages, { role: 'assistant', content: 'x', tool_calls: [{}] }] }, 'chat'],
    ['messages[1].role', { messages: [...hello.messages, { role: 'tool', content: 'x' }] }, 'chat'],
    ['messages[0].content', { messages: [{ role: 'user' }] }, 'chat'],
  ])('%s of %j', (field, body, endpoint) => {
    expect(refusal(body, endpoint)).toMatchObject({ status: 400, code: 'invalid_value', param: field });
    expect(refusal(body, endpoint)?.message).toMatch(/: got .+, allowed is .+, as this model is served by Triton$/);
  });

  it('but not what asks for nothing', () => {
    const nothing = {
      n: 1,
      logprobs: false,
      top_logprobs: 0,
      tools: [],
      tool_choice: 'auto',
      response_format: { type: 'text' },
      logit_bias: {},
      functions: null,
    };
    expect(refusal({ ...hello, ...nothing, metadata: { a: 1 }, store: false }, 'chat')).toBeNull();
    expect(
      refusal({ prompt: 'x', best_of: 1, echo: false, suffix: null, stream_options: { include_usage: true } }, 'completion'),
    ).toBeNull();
  });

  it('however deep it is nested', () => {
    const deep = `{"model":"m","prompt":"x","response_format":${'['.repeat(100_000)}${']'.repeat(100_000)}}`;
    expect(refusal(deep, 'completion')?.message).toContain('something nested too deeply to show');
  });
});
