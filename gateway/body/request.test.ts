import { describe, expect, it } from 'vitest';
import { RequestError } from '../errors.ts';
import { forwardedBody, readRequest } from './request.ts';

const read = (body: unknown, endpoint: 'chat' | 'completion' = 'completion') =>
  readRequest(endpoint, Buffer.from(typeof body === 'string' ? body : JSON.stringify(body)));

function refusal(body: unknown, endpoint: 'chat' | 'completion' = 'completion') {
  try {
    read(body, endpoint);
  } catch (error) {
    if (error instanceof RequestError) return error.error;
    throw error;
  }
  throw new Error('was accepted');
}

describe('reading a request', () => {
  it('takes what it needs of a chat completion', () => {
    const request = read(
      {
        model: 'm',
        stream: true,
        stream_options: { include_usage: true },
        max_completion_tokens: 50,
        max_tokens: 9,
        n: 2,
        messages: [
          { role: 'system', content: 'abc' },
          {
            role: 'user',
            content: [
              { type: 'text', text: 'defg' },
              { type: 'image_url', image_url: { url: 'data:xxxxxxxx' } },
            ],
          },
        ],
        unknown: { passes: true },
      },
      'chat',
    );
    expect(request).toMatchObject({
      model: 'm',
      streamed: true,
      wantsUsage: true,
      maxTokens: 50,
      choices: 2,
      prompt: { characters: 7, bytes: 7, tokens: 0 },
    });
  });

  it.each([
    ['a text', 'hello', { characters: 5, bytes: 5, tokens: 0 }],
    ['texts', ['ab', 'cde'], { characters: 5, bytes: 5, tokens: 0 }],
    ['token ids', [1, 2, 3], { characters: 0, bytes: 0, tokens: 3 }],
    ['lists of token ids', [[1, 2], [3]], { characters: 0, bytes: 0, tokens: 3 }],
    ['nothing', undefined, { characters: 0, bytes: 0, tokens: 0 }],
  ])('sizes a prompt of %s', (_, prompt, size) => {
    expect(read({ model: 'm', prompt }).prompt).toEqual(size);
  });

  it.each([
    ['a text', { prompt: 'hello' }, ['hello']],
    ['texts, which are several prompts', { prompt: ['ab', 'cde'] }, ['ab']],
    ['token ids', { prompt: [1, 2, 3] }, []],
    ['nothing', {}, []],
  ])('has the texts of a prompt of %s', (_, body, texts) => {
    expect(
      read({ model: 'm', ...body })
        .pieces()
        .map(String),
    ).toEqual(texts);
  });

  it('has the texts of a chat with their roles, up to the first thing that is no text', () => {
    const image = { type: 'image_url', image_url: { url: 'data:xxxxxxxx' } };
    const messages = [
      { role: 'system', content: 'abc' },
      { role: 'assistant', content: null, tool_calls: [] },
      { role: 'user', content: [{ type: 'text', text: 'defg' }, image, { type: 'text', text: 'behind it' }] },
      { role: 'user', content: 'far behind it' },
    ];
    expect(read({ model: 'm', messages }, 'chat').pieces().map(String)).toEqual([...['"system"', 'abc', '"assistant"', '"user"', 'defg']]);
  });

  it('has the parts of a chat that the profiler may look at', () => {
    const messages = [
      { role: 'system', content: 'Be brief.' },
      { role: 'user', content: 'What is a river?' },
      { role: 'assistant', content: 'x'.repeat(30) },
      { role: 'developer', content: [{ type: 'text', text: 'In French.' }] },
      { role: 'user', content: 'And a lake?' },
      { role: 'assistant', content: 'y'.repeat(50) },
      { role: 'user', content: 'And the sea?' },
    ];
    const tools = [{ type: 'function', function: { name: 'look_up' } }];
    expect(read({ model: 'm', messages, tools, temperature: 0.2 }, 'chat').promptParts()).toEqual({
      prompt: 'And the sea?',
      promptCharacters: 12,
      system: 'Be brief.\nIn French.',
      turn: 2,
      earlierAnswerCharacters: 40,
      temperature: 0.2,
      tools: true,
    });
  });

  it('has only the texts of a message in parts, also behind an image', () => {
    const image = { type: 'image_url', image_url: { url: 'data:xxxxxxxx' } };
    const content = [{ type: 'text', text: 'Look:' }, image, { type: 'text', text: 'what is it?' }];
    expect(read({ model: 'm', messages: [{ role: 'user', content }] }, 'chat').promptParts()).toEqual({
      prompt: 'Look:\n\nwhat is it?',
      promptCharacters: 18,
      system: '',
      turn: 0,
      earlierAnswerCharacters: 0,
      temperature: null,
      tools: false,
    });
  });

  it.each([
    ['no user', [{ role: 'assistant', content: 'Hello' }], { prompt: 'Hello', turn: 0 }],
    [
      'an answer that is no text',
      [
        { role: 'assistant', content: null },
        { role: 'user', content: 'x' },
      ],
      { earlierAnswerCharacters: 0 },
    ],
    ['a prompt that is no text', [{ role: 'user', content: 7 }], { prompt: '' }],
    [
      'what follows the last user',
      [
        { role: 'user', content: 'go' },
        { role: 'tool', content: 'went' },
      ],
      { prompt: 'go', turn: 0 },
    ],
  ])('has the parts of a chat with %s', (_, messages, parts) => {
    expect(read({ model: 'm', messages }, 'chat').promptParts()).toMatchObject(parts);
  });

  it.each([
    [0, 0],
    [1.5, 1.5],
    ['hot', null],
    [null, null],
    [undefined, null],
  ])('reads a temperature of %j as %j', (temperature, expected) => {
    expect(read({ model: 'm', prompt: 'x', temperature }).promptParts()!.temperature).toBe(expected);
    expect(read({ model: 'm', messages: [{ role: 'user', content: 'x' }], temperature }, 'chat').promptParts()!.temperature).toBe(expected);
  });

  it('takes an empty list of tools for none', () => {
    expect(read({ model: 'm', messages: [{ role: 'user', content: 'x' }], tools: [] }, 'chat').promptParts()!.tools).toBe(false);
  });

  it.each([
    ['a text', 'hello', 'hello'],
    ['texts, of which the first is looked at', ['ab', 'cde'], 'ab'],
    ['nothing', undefined, ''],
  ])('has the parts of a completion of %s', (_, prompt, text) => {
    const none = { system: '', turn: 0, earlierAnswerCharacters: 0, temperature: null, tools: false };
    expect(read({ model: 'm', prompt }).promptParts()).toEqual({ prompt: text, promptCharacters: text.length, ...none });
  });

  it.each([
    ['token ids', { prompt: [1, 2, 3] }, 'completion'],
    ['lists of token ids', { prompt: [[1, 2], [3]] }, 'completion'],
    ['no messages', { messages: [] }, 'chat'],
  ] as const)('has no parts of %s', (_, body, endpoint) => {
    expect(read({ model: 'm', ...body }, endpoint).promptParts()).toBeNull();
  });

  it("knows the API's own limit of completions", () => {
    expect(read({ model: 'm', prompt: 'x' }).maxTokens).toBe(16);
    expect(read({ model: 'm', messages: [] }, 'chat').maxTokens).toBeNull();
  });

  it.each([
    ['{"model": ', 'malformed_json'],
    ['', 'malformed_json'],
    ['[1]', 'malformed_json'],
    ['null', 'malformed_json'],
    ['\ufeff{}', 'malformed_json'],
  ])('refuses %j as malformed', (body, code) => {
    expect(refusal(body)).toMatchObject({ status: 400, type: 'invalid_request_error', code });
  });

  it('never repeats the prompt of a malformed body', () => {
    expect(refusal('{"prompt": "my secret diary" oops').message).not.toContain('secret');
  });

  it.each([
    [{ prompt: 'x' }, 'model', 'nothing'],
    [{ model: 7, prompt: 'x' }, 'model', '7'],
    [{ model: 'm', prompt: 7 }, 'prompt', '7'],
    [{ model: 'm', prompt: [1, 'a'] }, 'prompt', '[1,"a"]'],
    [{ model: 'm', prompt: 'x', stream: 'yes' }, 'stream', '"yes"'],
    [{ model: 'm', prompt: 'x', stream_options: [] }, 'stream_options', '[]'],
    [{ model: 'm', prompt: 'x', max_tokens: -1 }, 'max_tokens', '-1'],
    [{ model: 'm', prompt: 'x', max_tokens: 1.5 }, 'max_tokens', '1.5'],
    [{ model: 'm', prompt: 'x', n: 0 }, 'n', '0'],
  ])('names the field of %j', (body, param, given) => {
    const error = refusal(body);
    expect(error).toMatchObject({ status: 400, code: 'invalid_value', param });
    expect(error.message).toContain(`got ${given}, allowed is`);
  });

  it('refuses a chat without messages', () => {
    expect(refusal({ model: 'm' }, 'chat').param).toBe('messages');
    expect(refusal({ model: 'm', messages: ['hi'] }, 'chat').param).toBe('messages');
  });

  it('survives deep nesting', () => {
    const depth = 200_000;
    expect(read(`{"model":"m","prompt":"x","deep":${'['.repeat(depth)}${']'.repeat(depth)}}`).model).toBe('m');
  });
});

describe('the forwarded body', () => {
  it('is the very same buffer when there is nothing to add', () => {
    const request = read({ model: 'm', prompt: 'x' });
    expect(forwardedBody(request, 0)).toBe(request.body);
    const streamed = read({ model: 'm', prompt: 'x', stream: true, stream_options: { include_usage: true } });
    expect(forwardedBody(streamed, 0)).toBe(streamed.body);
  });

  it.each([
    ['{"model":"m","stream":true}', 0, '{"model":"m","stream":true,"stream_options":{"include_usage":true}}'],
    [
      '{"model":"m", "stream":true, "stream_options": {"include_usage":false,"x":1}}',
      0,
      '{"model":"m", "stream":true, "stream_options": {"include_usage":true,"x":1}}',
    ],
    ['{"stream_options":null,"model":"m","stream":true}', 0, '{"stream_options":{"include_usage":true},"model":"m","stream":true}'],
    ['{"model":"m"}', 100, '{"model":"m","priority":-100}'],
    ['{"model":"m","priority":-999}', -10, '{"model":"m","priority":10}'],
    ['{"model":"m","priority":-999}', 0, '{"model":"m","priority":0}'],
  ])('of %s at priority %d', (body, priority, expected) => {
    expect(forwardedBody(read(body), priority).toString()).toBe(expected);
  });
});
