import { request as httpRequest } from 'node:http';
import { afterEach, describe, expect, it } from 'vitest';
import { shapeOf } from '../../core/domain/model-spec.ts';
import { measuredStepTime } from '../../core/domain/step-time.ts';
import { type SimulatedEngine, startSimulatedEngine } from './server.ts';
import { parseSettings } from './settings.ts';

const engines: SimulatedEngine[] = [];
afterEach(async () => {
  await Promise.all(engines.splice(0).map((engine) => engine.close()));
});

async function start(
  args: Record<string, string | number> = {},
  kvCacheTokens = 100_000,
  onDeath?: (lastWords: string) => void,
): Promise<SimulatedEngine> {
  const settings = parseSettings({
    replicaId: 'r1',
    deployment: 'chat',
    model: 'llama-3.1-8b',
    source: 'hf://meta-llama/Llama-3.1-8B-Instruct',
    shape: shapeOf({ name: 'llama-3.1-8b', source: 'hf://meta-llama/Llama-3.1-8B-Instruct', dtype: 'bf16' }),
    acceleratorKind: 'B200-SXM',
    tensorParallel: 1,
    stepTime: measuredStepTime('llama-3.1-8b', 'B200-SXM', 1)?.coefficients,
    kvCacheTokens,
    maxSequences: 256,
    args: { 'simulated-load-seconds': 0, 'shutdown-timeout': 5, ...args },
  });
  const engine = await startSimulatedEngine(settings, { address: '127.0.0.1', port: 0 }, onDeath);
  engines.push(engine);
  return engine;
}

function post(engine: SimulatedEngine, path: string, body: unknown, signal?: AbortSignal): Promise<Response> {
  const text = typeof body === 'string' ? body : JSON.stringify(body);
  return fetch(engine.url + path, { method: 'POST', headers: { 'content-type': 'application/json' }, body: text, signal: signal ?? null });
}

const messages = [{ role: 'user', content: 'Tell me about the sea.' }];
const chat = (engine: SimulatedEngine, more: object = {}, signal?: AbortSignal) =>
  post(engine, '/v1/chat/completions', { model: 'chat', messages, simulated_output_tokens: 20, ...more }, signal);

/** The data of a stream's events. */
async function events(response: Response): Promise<string[]> {
  const text = await response.text();
  return text
    .split('\n\n')
    .filter((event) => event !== '')
    .map((event) => event.replace(/^data: /, ''));
}

/** Values by metric name and labels, without those that all have. */
async function metrics(engine: SimulatedEngine): Promise<Map<string, number>> {
  const text = await (await fetch(`${engine.url}/metrics`)).text();
  const samples = [...text.matchAll(/^([a-z0-9_:]+)\{(.*)\} (\S+)$/gm)];
  return new Map(
    samples.map(([, name, labels, value]) => {
      expect(labels).toContain('model_name="chat",engine="0"');
      const own = labels!.replace(/,?model_name="chat",engine="0"/, '');
      return [own ? `${name}{${own}}` : name!, Number(value)];
    }),
  );
}

async function until(engine: SimulatedEngine, holds: (m: Map<string, number>) => boolean): Promise<void> {
  for (let attempt = 0; attempt < 200; attempt++) {
    if (holds(await metrics(engine))) return;
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  throw new Error(`never came: ${holds}`);
}

describe('answers', () => {
  it('streams a chat: role, one piece a token, the end, the usage, [DONE]', async () => {
    const response = await chat(await start(), { stream: true, stream_options: { include_usage: true } });
    expect(response.headers.get('content-type')).toContain('text/event-stream');
    expect(response.headers.get('x-uellm-simulated')).toBe('true');
    const data = await events(response);
    expect(data.pop()).toBe('[DONE]');
    const chunks = data.map((text) => JSON.parse(text));
    expect(chunks).toHaveLength(1 + 20 + 1);
    expect(chunks.every((c) => c.object === 'chat.completion.chunk' && c.system_fingerprint === 'simulated' && c.model === 'chat')).toBe(
      true,
    );
    expect(chunks[0].choices[0].delta).toEqual({ role: 'assistant', content: '' });
    expect(chunks.flatMap((c) => c.choices.map((choice: { delta: { content: string } }) => choice.delta.content)).join('')).toMatch(
      /^This is simulated text, not/,
    );
    expect(chunks[20].choices[0].finish_reason).toBe('stop');
    expect(chunks[21]).toMatchObject({ choices: [], usage: { prompt_tokens: 11, completion_tokens: 20, total_tokens: 31 } });
  });

  it('answers a chat whole', async () => {
    const body = await (await chat(await start(), { max_completion_tokens: 7 })).json();
    expect(body).toMatchObject({
      id: expect.stringMatching(/^chatcmpl-[0-9a-f]{32}$/),
      object: 'chat.completion',
      system_fingerprint: 'simulated',
      choices: [{ message: { role: 'assistant', content: 'This is simulated text, not the' }, finish_reason: 'length' }],
      usage: { completion_tokens: 7 },
    });
  });

  it('completes a prompt, whole or streamed, under the model name too', async () => {
    const engine = await start();
    const body = { model: 'llama-3.1-8b', prompt: [1, 2, 3], max_tokens: 5, ignore_eos: true };
    expect(await (await post(engine, '/v1/completions', body)).json()).toMatchObject({
      object: 'text_completion',
      model: 'llama-3.1-8b',
      choices: [{ text: 'This is simulated text,', finish_reason: 'length', stop_reason: null }],
      usage: { prompt_tokens: 3, completion_tokens: 5, total_tokens: 8 },
    });
    const data = await events(await post(engine, '/v1/completions', { ...body, prompt: 'a text of 24 characters.', stream: true }));
    expect(data).toHaveLength(6);
    expect(data.slice(0, -1).map((text) => JSON.parse(text).choices[0].text)).toEqual(['This', ' is', ' simulated', ' text', ',']);
  });

  it('takes the id of the caller', async () => {
    const engine = await start();
    const body = JSON.stringify({ model: 'chat', messages, max_tokens: 1 });
    const response = await fetch(`${engine.url}/v1/chat/completions`, { method: 'POST', headers: { 'x-request-id': 'abc-1' }, body });
    expect(await response.json()).toMatchObject({ id: 'chatcmpl-abc-1' });
  });

  it('serves many at once', async () => {
    const engine = await start();
    const all = await Promise.all(
      Array.from({ length: 50 }, async (_, i) => events(await chat(engine, { stream: true, max_tokens: i + 1 }))),
    );
    all.forEach((data, i) => {
      expect(data).toHaveLength(1 + Math.min(i + 1, 20) + 1);
      expect(data.at(-1)).toBe('[DONE]');
    });
  });
});

describe('refusals', () => {
  const long = [{ role: 'user', content: 'x'.repeat(4 * 3000) }];
  it.each([
    ['an unknown model', { model: 'gpt' }, 404, 'NotFoundError', 'The model `gpt` does not exist.', 'model'],
    ['a long prompt', { messages: long }, 400, 'BadRequestError', "This model's maximum context length is 2000 tokens.", 'input_tokens'],
    ['many output tokens', { max_tokens: 1999 }, 400, 'BadRequestError', 'you requested 1999 output tokens', 'max_tokens'],
    ['n of 0', { n: 0 }, 400, 'BadRequestError', 'n: got 0, allowed is', 'n'],
    [
      'images',
      { messages: [{ role: 'user', content: [{ type: 'image_url' }] }] },
      400,
      'BadRequestError',
      'allowed is a text, or a list of parts',
      'messages[0].content',
    ],
    ['no messages', { messages: [] }, 400, 'BadRequestError', 'messages: got []', 'messages'],
    ['min_tokens over max_tokens', { min_tokens: 9, max_tokens: 8 }, 400, 'BadRequestError', 'min_tokens must be', 'min_tokens'],
  ])('%s', async (_, more, status, type, message, param) => {
    const response = await chat(await start({ 'max-model-len': 2000 }), { stream: true, ...more });
    expect(response.status).toBe(status);
    expect(response.headers.get('x-uellm-simulated')).toBe('true');
    expect(await response.json()).toMatchObject({ error: { type, message: expect.stringContaining(message), param, code: status } });
  });

  it('of what is not JSON, of unknown routes and of wrong methods', async () => {
    const engine = await start();
    expect((await post(engine, '/v1/chat/completions', '{"model": ')).status).toBe(400);
    expect((await fetch(`${engine.url}/v1/responses`)).status).toBe(404);
    expect((await fetch(`${engine.url}/v1/chat/completions`)).status).toBe(405);
  });
});

describe('what operators read', () => {
  it('lists both names, marked as simulated', async () => {
    const engine = await start();
    expect(await (await fetch(`${engine.url}/v1/models`)).json()).toMatchObject({
      data: ['chat', 'llama-3.1-8b'].map((id) => ({ id, owned_by: 'uellm-simulated', max_model_len: 100_000 })),
    });
    expect(await (await fetch(`${engine.url}/version`)).json()).toEqual({ version: 'uellm-simulated' });
  });

  it("has vLLM's metrics under its names", async () => {
    const engine = await start();
    await (await chat(engine, { stream: true })).text();
    await (await chat(engine, { max_tokens: 5 })).text();
    const m = await metrics(engine);
    expect(m.get('uellm_simulated')).toBe(1);
    expect(m.get('vllm:num_requests_running')).toBe(0);
    expect(m.get('vllm:kv_cache_usage_perc')).toBe(0);
    expect(m.get('vllm:cache_config_info{block_size="16",num_gpu_blocks="6250",cache_dtype="auto",enable_prefix_caching="False"}')).toBe(1);
    expect(m.get('vllm:prompt_tokens_total')).toBe(22);
    expect(m.get('vllm:generation_tokens_total')).toBe(25);
    expect(m.get('vllm:request_success_total{finished_reason="stop"}')).toBe(1);
    expect(m.get('vllm:request_success_total{finished_reason="length"}')).toBe(1);
    expect(m.get('vllm:inter_token_latency_seconds_count')).toBe(19 + 4);
    expect(m.get('vllm:iteration_tokens_total_sum')).toBe(22 + 19 + 4);
    for (const name of [
      'time_to_first_token',
      'e2e_request_latency',
      'request_queue_time',
      'request_prefill_time',
      'request_decode_time',
    ]) {
      expect(m.get(`vllm:${name}_seconds_count`)).toBe(2);
    }
    const decodeSeconds = m.get('vllm:request_decode_time_seconds_sum')!;
    expect(decodeSeconds).toBeGreaterThan(0.05);
    expect(decodeSeconds).toBeLessThan(5);
  });
});

describe('life of an engine', () => {
  it('frees what a client holds that goes away, running or waiting', async () => {
    const engine = await start({ 'max-num-seqs': 1 });
    const leaving = new AbortController();
    const running = await chat(engine, { stream: true, simulated_output_tokens: 5000 }, leaving.signal);
    const waiting = chat(engine, {}, leaving.signal);
    await until(engine, (m) => m.get('vllm:num_requests_waiting') === 1);
    expect((await metrics(engine)).get('vllm:kv_cache_usage_perc')).toBeGreaterThan(0);
    leaving.abort();
    await expect(running.text()).rejects.toThrow();
    await expect(waiting).rejects.toThrow();
    await until(engine, (m) => m.get('vllm:num_requests_running') === 0 && m.get('vllm:num_requests_waiting') === 0);
    const m = await metrics(engine);
    expect(m.get('vllm:kv_cache_usage_perc')).toBe(0);
    expect(m.get('vllm:request_success_total{finished_reason="abort"}')).toBe(2);
  });

  it('preempts under a small cache and still finishes all', async () => {
    const engine = await start({}, 640);
    const answers = Array.from({ length: 6 }, async () => events(await chat(engine, { stream: true, simulated_output_tokens: 200 })));
    for (const data of await Promise.all(answers)) expect(data).toHaveLength(202);
    expect((await metrics(engine)).get('vllm:num_preemptions_total')).toBeGreaterThan(0);
  });

  it('is unavailable while it loads', async () => {
    const engine = await start({ 'simulated-load-seconds': 0.4 });
    expect((await fetch(`${engine.url}/health`)).status).toBe(503);
    const early = await chat(engine);
    expect(early.status).toBe(503);
    expect(await early.json()).toMatchObject({ error: { message: 'The engine is loading its weights.' } });
    while ((await fetch(`${engine.url}/health`)).status !== 200) await new Promise((resolve) => setTimeout(resolve, 20));
    expect((await chat(engine)).status).toBe(200);
  });

  it('on close finishes its streams, meanwhile refuses new requests, then no longer listens', async () => {
    const engine = await start();
    const stream = await chat(engine, { stream: true, simulated_output_tokens: 100 });
    const closed = engine.close();
    expect((await chat(engine)).status).toBe(503);
    expect((await fetch(`${engine.url}/health`)).status).toBe(503);
    const data = await events(stream);
    expect(data).toHaveLength(102);
    expect(data.at(-1)).toBe('[DONE]');
    await closed;
    await expect(fetch(`${engine.url}/health`)).rejects.toThrow();
  });

  it('after its grace ends what still runs with an error, and no [DONE]', async () => {
    const engine = await start({ 'shutdown-timeout': 0.2 });
    const stream = await chat(engine, { stream: true, simulated_output_tokens: 50_000 });
    const whole = chat(engine, { simulated_output_tokens: 50_000 });
    await until(engine, (m) => m.get('vllm:num_requests_running') === 2);
    const closed = engine.close();
    const last = (await events(stream)).at(-1)!;
    expect(JSON.parse(last)).toMatchObject({ error: { type: 'ServiceUnavailableError', code: 503 } });
    expect((await whole).status).toBe(503);
    await closed;
  });

  it('closes though a client never reads', async () => {
    const engine = await start({ 'shutdown-timeout': 0.1 });
    const body = JSON.stringify({ model: 'chat', messages, stream: true, simulated_output_tokens: 50_000 });
    const deaf = httpRequest(`${engine.url}/v1/chat/completions`, { method: 'POST' }, (res) => res.pause().on('error', () => {}));
    deaf.on('error', () => {}).end(body);
    await until(engine, (m) => m.get('vllm:num_requests_running') === 1);
    await engine.close();
    deaf.destroy();
  });

  it('takes faults, and refuses what is none', async () => {
    const engine = await start();
    expect((await post(engine, '/simulated/faults', { speed: 2 })).status).toBe(400);
    const none = { slowdown: 1, outputFactor: 1, kvFactor: 1, outOfMemoryAtKvUsage: null };
    expect(await (await post(engine, '/simulated/faults', { slowdown: 0.01, outputFactor: 3 })).json()).toEqual({
      ...none,
      slowdown: 0.01,
      outputFactor: 3,
    });
    expect(await (await chat(engine)).json()).toMatchObject({ usage: { completion_tokens: 60 } });
    expect(await (await post(engine, '/simulated/faults', {})).json()).toEqual(none);
  });

  it('with a part of its cache missing uses more of the rest, preempts, and refuses what no longer fits', async () => {
    const engine = await start({}, 6400);
    const lost = chat(engine, { simulated_output_tokens: 1500 });
    await until(engine, (m) => m.get('vllm:num_requests_running') === 1);
    await post(engine, '/simulated/faults', { kvFactor: 0.1, slowdown: 0.1 });
    expect((await lost).status).toBe(503);
    expect((await chat(engine, { simulated_output_tokens: 700 })).status).toBe(400);
    const answers = Array.from({ length: 6 }, async () => events(await chat(engine, { stream: true, simulated_output_tokens: 200 })));
    for (const data of await Promise.all(answers)) expect(data).toHaveLength(202);
    expect((await metrics(engine)).get('vllm:num_preemptions_total')).toBeGreaterThan(0);
    await post(engine, '/simulated/faults', {});
    expect((await chat(engine, { simulated_output_tokens: 700, stream: true })).status).toBe(200);
  });

  it('runs out of memory above the use that it is told', async () => {
    const deaths: string[] = [];
    const engine = await start({}, 6400, (lastWords) => deaths.push(lastWords));
    await post(engine, '/simulated/faults', { outOfMemoryAtKvUsage: 0.05 });
    await (await chat(engine, { simulated_output_tokens: 200 })).text();
    expect(deaths).toEqual([]);
    const stream = await chat(engine, { stream: true, simulated_output_tokens: 1000 });
    await expect(stream.text()).rejects.toThrow();
    expect(deaths).toEqual([expect.stringMatching(/CUDA out of memory/)]);
    await expect(fetch(`${engine.url}/health`)).rejects.toThrow();
  });
});
