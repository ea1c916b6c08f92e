/** OpenAI's own client for JavaScript, in front of simulated engines. */
import OpenAI from 'openai';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type RoutedGateway, routedReplica, sloPolicy, startRoutedGateway, until } from '../../test/support/gateway.ts';
import { runningOn, startRoutedEngine } from '../../test/support/simulated-engine.ts';
import { startUpstream, streamed, token } from '../../test/support/upstream.ts';

const KEY = 'admin-key';
const messages = [{ role: 'user' as const, content: 'Is it raining?' }];
const tools = [
  {
    type: 'function' as const,
    function: { name: 'weather', parameters: { type: 'object', properties: { city: { type: 'string' } }, required: ['city'] } },
  },
];
/** An extension of simulated engines, which the client's types do not know. */
const exactly = (tokens: number) => ({ simulated_output_tokens: tokens });

let gateway: RoutedGateway;
let engine: Awaited<ReturnType<typeof startRoutedEngine>>;
let client: OpenAI;

const clientOf = ({ url }: { url: string }, options: { apiKey?: string; maxRetries?: number; timeout?: number } = {}) =>
  new OpenAI({ baseURL: `${url}/v1`, apiKey: KEY, maxRetries: 0, ...options });

beforeAll(async () => {
  engine = await startRoutedEngine('r1');
  gateway = await startRoutedGateway({ apiKeys: [KEY] });
  gateway.route([engine.row], [sloPolicy()]);
  client = clientOf(gateway);
});
afterAll(async () => {
  await gateway.close();
  await engine.close();
});

describe("OpenAI's client for JavaScript", () => {
  it('lists models and looks one up', async () => {
    const ids = [];
    for await (const { id } of client.models.list()) ids.push(id);
    expect(ids).toEqual(['chat', 'llama-3.1-8b']);
    expect(await client.models.retrieve('chat')).toMatchObject({ id: 'chat', object: 'model', owned_by: 'uellm' });
    await expect(client.models.retrieve('no such/model')).rejects.toBeInstanceOf(OpenAI.NotFoundError);
  });

  it('chats and completes, n times, up to a stop', async () => {
    const chat = await client.chat.completions.create({ model: 'chat', messages, n: 3, ...exactly(12) });
    expect(chat.choices.map(({ index, finish_reason }) => [index, finish_reason])).toEqual([0, 1, 2].map((i) => [i, 'stop']));
    expect(chat.usage?.completion_tokens).toBe(36);
    const text = await client.completions.create({ model: 'llama-3.1-8b', prompt: 'x', stop: ['simulated', 'zzz'], max_tokens: 50 });
    expect(text.choices[0]).toMatchObject({ text: 'This is ', finish_reason: 'stop' });
  });

  it.each([true, false])('streams several choices, with the usage where it is asked for (%s)', async (include_usage) => {
    const stream = await client.chat.completions.create({
      model: 'chat',
      messages,
      n: 2,
      stream: true,
      stream_options: { include_usage },
      ...exactly(8),
    });
    const texts = ['', ''];
    const usages = [];
    for await (const { choices, usage } of stream) {
      for (const { index, delta } of choices) texts[index] += delta.content ?? '';
      if (usage) usages.push(usage.completion_tokens);
    }
    for (const text of texts) expect(text).toMatch(/^This is simulated text, not the/);
    expect(usages).toEqual(include_usage ? [16] : []);
  });

  it('calls tools, whole and streamed, and goes on with what they say', async () => {
    const { choices } = await client.chat.completions.create({ model: 'chat', messages, tools });
    const message = choices[0]!.message;
    const [call] = message.tool_calls!;
    if (call?.type !== 'function') throw new Error('no function was called');
    expect(JSON.parse(call.function.arguments)).toEqual({ city: 'simulated' });
    const said = await client.chat.completions.create({
      model: 'chat',
      messages: [...messages, message, { role: 'tool', tool_call_id: call.id, content: 'yes' }],
      tools,
    });
    expect(said.choices[0]?.message.content).toMatch(/^This is simulated text/);
    const runner = client.chat.completions.stream({ model: 'chat', messages, tools, tool_choice: 'required' });
    const streamedCall = (await runner.finalChatCompletion()).choices[0]?.message.tool_calls?.[0];
    expect(streamedCall).toMatchObject({ function: { name: 'weather', arguments: call.function.arguments } });
  });

  it('gets JSON', async () => {
    const json = await client.chat.completions.create({ model: 'chat', messages, response_format: { type: 'json_object' } });
    expect(JSON.parse(json.choices[0]!.message.content!)).toMatchObject({ simulated: true });
    const schema = { type: 'object', properties: { rain: { type: 'boolean' } } };
    const format = { type: 'json_schema' as const, json_schema: { name: 'answer', schema } };
    const shaped = await client.chat.completions.create({ model: 'chat', messages, response_format: format });
    expect(JSON.parse(shaped.choices[0]!.message.content!)).toEqual({ rain: true });
  });

  it('embeds', async () => {
    const { data, usage } = await client.embeddings.create({ model: 'chat', input: ['sea', 'sky'], dimensions: 8 });
    expect(data.map(({ index, embedding }) => [index, embedding.length])).toEqual([
      [0, 8],
      [1, 8],
    ]);
    expect(Math.hypot(...data[0]!.embedding)).toBeCloseTo(1, 5);
    expect(usage.total_tokens).toBe(2);
    const floats = await client.embeddings.create({ model: 'chat', input: 'sea', dimensions: 8, encoding_format: 'float' });
    expect(floats.data[0]!.embedding[3]).toBeCloseTo(data[0]!.embedding[3]!, 6);
  });

  it('maps errors to its classes', async () => {
    const chat = (of: OpenAI, body: object = {}) => of.chat.completions.create({ model: 'chat', messages, ...body });
    await expect(chat(clientOf(gateway, { apiKey: 'wrong' }))).rejects.toBeInstanceOf(OpenAI.AuthenticationError);
    const notFound = await chat(client, { model: 'none' }).catch((error) => error);
    expect(notFound).toBeInstanceOf(OpenAI.NotFoundError);
    expect(notFound).toMatchObject({ code: 'model_not_found', param: 'model', type: 'invalid_request_error' });
    // One by the gateway, one by the engine.
    const ours = await chat(client, { n: 0 }).catch((error) => error);
    const engines = await chat(client, { tool_choice: 'sometimes' }).catch((error) => error);
    expect([ours, engines].map((error) => error instanceof OpenAI.BadRequestError && error.param)).toEqual(['n', 'tool_choice']);
    expect(ours.requestID).toMatch(/^req-/);
    const small = await startRoutedGateway({ apiKeys: [KEY], maxHeldBytes: 10 });
    const limited = await chat(clientOf(small)).catch((error) => error);
    expect(limited).toBeInstanceOf(OpenAI.RateLimitError);
    expect([limited.code, limited.headers.get('retry-after')]).toEqual(['bodies_held', '1']);
    await small.close();
  });

  it('tries again by itself when it is told to', async () => {
    const fresh = await startRoutedGateway({ apiKeys: [KEY] });
    const refused = await clientOf(fresh)
      .completions.create({ model: 'chat', prompt: 'x' })
      .catch((error) => error);
    expect(refused).toBeInstanceOf(OpenAI.InternalServerError);
    expect(refused).toMatchObject({ status: 503, code: 'starting' });
    const patient = clientOf(fresh, { maxRetries: 1 }).completions.create({ model: 'chat', prompt: 'x' });
    await new Promise((resolve) => setTimeout(resolve, 300));
    fresh.route([engine.row], [sloPolicy()]);
    expect((await patient).choices).toHaveLength(1);
    await fresh.close();
  });

  it('gives up after its timeout, and leaves a stream: the engine is freed both times', async () => {
    const hasty = clientOf(gateway, { timeout: 300 });
    const late = hasty.completions.create({ model: 'chat', prompt: 'x', ...exactly(5000) });
    await expect(late).rejects.toBeInstanceOf(OpenAI.APIConnectionTimeoutError);
    await until(async () => (await runningOn(engine)) === 0);
    const stream = await client.completions.create({ model: 'chat', prompt: 'x', stream: true, ...exactly(5000) });
    let chunks = 0;
    for await (const _ of stream) if (++chunks === 3) break;
    expect(chunks).toBe(3);
    await until(async () => (await runningOn(engine)) === 0);
  });

  it('reads on through comments that keep it alive, and is told of what fails after them', async () => {
    const upstream = await startUpstream(async (res, request) => {
      await new Promise((resolve) => setTimeout(resolve, 500));
      if (request.json.prompt === 'fail') res.writeHead(400).end('{"error":{"message":"too long","code":"too_long"}}');
      else await streamed(['a', 'b'])(res, request);
    });
    const waiting = await startRoutedGateway({ apiKeys: [KEY], keepAliveMs: 100 });
    waiting.route([routedReplica({ replicaId: 'slow', endpoint: upstream.url })]);
    const read = async (prompt: string) => {
      let text = '';
      const stream = await clientOf(waiting).completions.create({ model: 'chat', prompt, stream: true });
      for await (const { choices } of stream) text += choices[0]?.text ?? '';
      return text;
    };
    expect(await read('x')).toBe('ab');
    await expect(read('fail')).rejects.toMatchObject({ code: 'too_long', message: 'too long' });
    await waiting.close();
    await upstream.close();
  });

  it('hears of a stream that breaks off', async () => {
    const upstream = await startUpstream((res) => {
      res.writeHead(200, { 'content-type': 'text/event-stream' });
      res.write(token('a'));
      setTimeout(() => res.destroy(), 50);
    });
    const breaking = await startRoutedGateway({ apiKeys: [KEY] });
    breaking.route([routedReplica({ replicaId: 'r', endpoint: upstream.url })]);
    const stream = await clientOf(breaking).completions.create({ model: 'chat', prompt: 'x', stream: true });
    const texts: string[] = [];
    const reading = (async () => {
      for await (const { choices } of stream) texts.push(choices[0]!.text);
    })();
    await expect(reading).rejects.toMatchObject({ code: 'engine_failed', type: 'server_error' });
    expect(texts).toEqual(['a']);
    await breaking.close();
    await upstream.close();
  });
});
