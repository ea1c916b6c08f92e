/** OpenAI's own client, a gateway alone, and real vLLM: what simulated engines are held to imitate. */
import OpenAI from 'openai';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createVllmDriver } from '../../engines/vllm/driver.ts';
import { type RoutedGateway, routedReplica, startRoutedGateway } from '../support/gateway.ts';
import { testHosts, untilReady } from './support.ts';
import { findVllm, type RealVllm, TINY_VLLM_ARGS, tinyVllmSpec } from './vllm.ts';

const vllm = findVllm();
if ('skipped' in vllm) it("OpenAI's client before real vLLM", (context) => context.skip(vllm.skipped));
else describe("OpenAI's client before real vLLM", () => suite(vllm));

function suite(real: RealVllm) {
  const hosts = testHosts();
  let gateway: RoutedGateway;
  let client: OpenAI;
  /** Past the gateway. */
  let engine: OpenAI;
  const messages = [{ role: 'user' as const, content: 'Say something.' }];
  const parameters = { type: 'object', properties: { sunny: { type: 'boolean' } }, required: ['sunny'], additionalProperties: false };
  const tools = [{ type: 'function' as const, function: { name: 'weather', parameters } }];
  /** Of tool calls, which vLLM draws. */
  const withoutIds = (choices: unknown) => JSON.parse(JSON.stringify(choices, (key, value) => (key === 'id' ? undefined : value)));

  beforeAll(async () => {
    const host = hosts.open([createVllmDriver({ command: real.command, env: real.env })]);
    const rows: { replicaId: string; deployment: string; args: Record<string, string | boolean> }[] = [
      { replicaId: 'chat-1', deployment: 'chat', args: { 'enable-auto-tool-choice': true, 'tool-call-parser': 'hermes' } },
      { replicaId: 'embed-1', deployment: 'embed', args: { runner: 'pooling' } },
    ];
    const routed = [];
    for (const [accelerator, { replicaId, deployment, args }] of rows.entries()) {
      const spec = { replicaId, deployment, accelerators: [accelerator], args: { ...TINY_VLLM_ARGS, ...args } };
      const { endpoint } = await host.start(tinyVllmSpec(real, spec));
      routed.push(routedReplica({ replicaId, deployment, model: `tiny-${deployment}`, endpoint }));
    }
    for (const { replicaId } of rows) await untilReady(host, replicaId, 400_000);
    gateway = await startRoutedGateway();
    gateway.route(routed);
    const clientOf = (url: string) => new OpenAI({ baseURL: `${url}/v1`, apiKey: 'none', maxRetries: 0 });
    client = clientOf(gateway.url);
    engine = clientOf(routed[0]!.endpoint);
  }, 420_000);
  afterAll(async () => {
    await gateway?.close();
    await hosts.end();
  }, 60_000);

  it('chats, n times, with probabilities', async () => {
    const chat = await client.chat.completions.create({ model: 'chat', messages, n: 2, max_tokens: 5, logprobs: true, top_logprobs: 2 });
    expect(chat.choices.map(({ index, logprobs }) => [index, logprobs?.content?.[0]?.top_logprobs.length])).toEqual([
      [0, 2],
      [1, 2],
    ]);
    expect(chat.usage!.completion_tokens).toBeLessThanOrEqual(10);
  });

  it.each([true, false])('streams several choices, with the usage where it is asked for (%s)', async (include_usage) => {
    const stream = await client.chat.completions.create({
      model: 'chat',
      messages,
      n: 2,
      max_tokens: 8,
      stream: true,
      stream_options: { include_usage },
    });
    const seen = new Set<number>();
    let usages = 0;
    for await (const { choices, usage } of stream) {
      for (const { index } of choices) seen.add(index);
      if (usage) usages += 1;
    }
    expect([[...seen].sort(), usages]).toEqual([[0, 1], include_usage ? 1 : 0]);
  });

  it('stops, and says where', async () => {
    const free = await client.completions.create({ model: 'chat', prompt: 'Once upon a time', max_tokens: 20, temperature: 0 });
    const { text } = free.choices[0]!;
    const stop = text.slice(5, 7);
    const stopped = await client.completions.create({ model: 'chat', prompt: 'Once upon a time', max_tokens: 20, temperature: 0, stop });
    expect(stopped.choices[0]).toMatchObject({ text: text.slice(0, text.indexOf(stop)), finish_reason: 'stop' });
  });

  // What the tiny model says is noise: it has to be the same noise.
  it.each([
    ['tools', { tools }],
    ['a named tool', { tools, tool_choice: { type: 'function' as const, function: { name: 'weather' } } }],
    ['a tool that must be called', { tools, tool_choice: 'required' as const }],
    ['JSON', { response_format: { type: 'json_object' as const } }],
    ['JSON by a schema', { response_format: { type: 'json_schema' as const, json_schema: { name: 'answer', schema: parameters } } }],
  ])('with %s is answered as without the gateway, whole and streamed', async (_, form) => {
    const body = { model: 'chat', messages, max_tokens: 60, temperature: 0, ...form };
    const [whole, direct] = [await client.chat.completions.create(body), await engine.chat.completions.create(body)];
    expect(withoutIds(whole.choices)).toEqual(withoutIds(direct.choices));
    expect(whole.usage).toEqual(direct.usage);
    // vLLM puts tokens that it has not yet sent into one chunk, as its time has it.
    const deltas = async (of: OpenAI) => {
      let [said, called, ended] = ['', '', ''];
      for await (const { choices } of await of.chat.completions.create({ ...body, stream: true })) {
        for (const { delta, finish_reason } of choices) {
          said += delta.content ?? '';
          called += (delta.tool_calls ?? []).map((call) => (call.function?.name ?? '') + (call.function?.arguments ?? '')).join('');
          ended += finish_reason ?? '';
        }
      }
      return { said, called, ended };
    };
    expect(await deltas(client)).toEqual(await deltas(engine));
  });

  it('embeds, and is told what an engine refuses', async () => {
    const { data, usage } = await client.embeddings.create({ model: 'embed', input: ['sea', 'the sky'] });
    expect(data.map(({ embedding }) => embedding.length)).toEqual([128, 128]);
    expect(usage.prompt_tokens).toBeGreaterThan(1);
    await expect(client.embeddings.create({ model: 'chat', input: 'sea' })).rejects.toBeInstanceOf(OpenAI.APIError);
    const long = client.completions.create({ model: 'chat', prompt: 'x '.repeat(5000), max_tokens: 5 });
    await expect(long).rejects.toBeInstanceOf(OpenAI.BadRequestError);
  });
}
