/** What a simulated engine answers beside one text: several choices, tool calls, JSON, embeddings. */
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { engineSpec } from '../../test/engines/support.ts';
import { until } from '../../test/support/gateway.ts';
import { runningOn } from '../../test/support/simulated-engine.ts';
import { type SimulatedEngine, startSimulatedEngine } from './server.ts';
import { parseSettings } from './settings.ts';

let engine: SimulatedEngine;
beforeEach(async () => {
  engine = await startSimulatedEngine(parseSettings(engineSpec({ args: { 'simulated-load-seconds': 0 } })), {
    address: '127.0.0.1',
    port: 0,
  });
});
afterEach(() => engine.close());

const post = (path: string, body: object) =>
  fetch(engine.url + path, {
    method: 'POST',
    body: JSON.stringify({ model: 'demo', ...body }),
    headers: { 'content-type': 'application/json' },
  });
const messages = [{ role: 'user', content: 'Is it raining?' }];
const tools = [
  { type: 'function', function: { name: 'weather', parameters: { type: 'object', properties: { city: { type: 'string' } } } } },
];

// biome-ignore lint/suspicious/noExplicitAny: answers of an API
const json = async (path: string, body: object): Promise<any> => (await post(path, body)).json();
// biome-ignore lint/suspicious/noExplicitAny: answers of an API
async function chunks(path: string, body: object): Promise<any[]> {
  const text = await (await post(path, { stream: true, ...body })).text();
  const data = text.split('\n\n').filter((event) => event !== '');
  expect(data.pop()).toBe('data: [DONE]');
  return data.map((event) => JSON.parse(event.slice('data: '.length)));
}

describe('several choices', () => {
  it('are different texts, and the prompt is counted once', async () => {
    const one = await json('/v1/chat/completions', { messages, simulated_output_tokens: 20 });
    const { choices, usage } = await json('/v1/chat/completions', { messages, n: 3, simulated_output_tokens: 20 });
    expect(choices.map(({ index }: { index: number }) => index)).toEqual([0, 1, 2]);
    expect(new Set(choices.map((choice: { message: { content: string } }) => choice.message.content)).size).toBe(3);
    expect(choices[0].message.content).toBe(one.choices[0].message.content);
    expect(usage).toMatchObject({ prompt_tokens: one.usage.prompt_tokens, completion_tokens: 60 });
  });

  it('come side by side in one stream, each with its end', async () => {
    const all = await chunks('/v1/completions', { prompt: 'x', n: 2, simulated_output_tokens: 5, stream_options: { include_usage: true } });
    const usage = all.pop();
    expect(usage).toMatchObject({ choices: [], usage: { completion_tokens: 10 } });
    for (const index of [0, 1]) {
      const own = all.filter(({ choices }) => choices[0].index === index);
      expect(own).toHaveLength(5);
      expect(own.map(({ choices }) => choices[0].finish_reason)).toEqual([null, null, null, null, 'stop']);
    }
  });

  it('all end when the client leaves', async () => {
    const leave = new AbortController();
    const body = JSON.stringify({ model: 'demo', prompt: 'x', n: 3, simulated_output_tokens: 5000, stream: true });
    const response = await fetch(`${engine.url}/v1/completions`, { method: 'POST', body, signal: leave.signal });
    await response.body!.getReader().read();
    expect(await runningOn(engine)).toBe(3);
    leave.abort();
    await until(async () => (await runningOn(engine)) === 0);
  });
});

describe('tools and JSON', () => {
  it('calls a tool, whole and as deltas', async () => {
    const { choices } = await json('/v1/chat/completions', { messages, tools });
    expect(choices[0]).toMatchObject({ finish_reason: 'tool_calls', message: { content: null } });
    const [call] = choices[0].message.tool_calls;
    expect([call.function.name, JSON.parse(call.function.arguments)]).toEqual(['weather', { city: 'simulated' }]);
    const deltas = (await chunks('/v1/chat/completions', { messages, tools })).flatMap((chunk) => chunk.choices[0].delta.tool_calls ?? []);
    expect(deltas[0]).toMatchObject({ type: 'function', function: { name: 'weather', arguments: '' } });
    expect(deltas.map((delta) => delta.function.arguments).join('')).toBe(call.function.arguments);
  });

  it('answers in JSON, cut where the limit is', async () => {
    const format = { response_format: { type: 'json_object' } };
    const whole = await json('/v1/chat/completions', { messages, ...format });
    expect(JSON.parse(whole.choices[0].message.content)).toMatchObject({ simulated: true });
    const cut = await json('/v1/chat/completions', { messages, max_tokens: 2, ...format });
    expect(cut.choices[0]).toMatchObject({ finish_reason: 'length', message: { content: '{"simula' } });
  });
});

describe('embeddings', () => {
  it('are unit vectors, the same for the same text, in order', async () => {
    const answer = await json('/v1/embeddings', { input: ['sea', 'sky', 'sea'], dimensions: 16 });
    const [sea, sky, again] = answer.data.map(({ embedding }: { embedding: number[] }) => embedding);
    expect(sea).toHaveLength(16);
    expect(Math.hypot(...sea)).toBeCloseTo(1, 5);
    expect(again).toEqual(sea);
    expect(sky).not.toEqual(sea);
    expect(answer).toMatchObject({ object: 'list', system_fingerprint: 'simulated', usage: { completion_tokens: 0 } });
  });

  it('come in base64 as little-endian floats', async () => {
    const floats = await json('/v1/embeddings', { input: [1, 2, 3] });
    const packed = await json('/v1/embeddings', { input: [1, 2, 3], encoding_format: 'base64' });
    const bytes = Buffer.from(packed.data[0].embedding, 'base64');
    expect(bytes.readFloatLE(4)).toBe(floats.data[0].embedding[1]);
    expect([bytes.length, packed.usage.prompt_tokens]).toEqual([4 * 384, 3]);
  });

  it('are refused for what is no input, or too long', async () => {
    expect((await post('/v1/embeddings', { input: [] })).status).toBe(400);
    expect((await post('/v1/embeddings', { input: 'x'.repeat(4 * 400_000) })).status).toBe(400);
  });
});
