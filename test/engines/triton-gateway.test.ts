/** A gateway alone before a real Triton: OpenAI's API from end to end. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { pino } from 'pino';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { EngineState } from '../../engines/driver.ts';
import { streamCompletion } from '../../engines/openai.ts';
import { readTritonMetrics } from '../../engines/triton/metrics.ts';
import { fileRouting } from '../../gateway/routes/file-routing.ts';
import { type Gateway, startGateway } from '../../gateway/server.ts';
import { testHosts, until, untilReady } from './support.ts';
import { findTriton, type RealTriton, tritonDriver, tritonSpec } from './triton.ts';

const CONFIG = {
  bos_token: '<s>',
  chat_template: "{{ bos_token }}{% for m in messages %}{{ m['role'] + ': ' + m['content'] + '\n' }}{% endfor %}assistant:",
};
const triton = findTriton();

if ('skipped' in triton) it('a gateway before real Triton', (context) => context.skip(triton.skipped));
else describe('a gateway before real Triton', () => suite(triton));

function suite(real: RealTriton) {
  const hosts = testHosts();
  let engine: EngineState;
  let gateway: Gateway;
  const running = async () => (await readTritonMetrics(engine.endpoint)).running;

  beforeAll(async () => {
    const host = hosts.open([tritonDriver(real, hosts.directory)]);
    engine = await host.start(tritonSpec({ 'step-ms': 20 }));
    await untilReady(host, 'demo-1', 60_000);
    const file = join(hosts.directory, 'gateway.yaml');
    writeFileSync(join(hosts.directory, 'tokenizer_config.json'), JSON.stringify(CONFIG));
    writeFileSync(file, `replicas: [{ endpoint: '${engine.endpoint}', model: demo, engine: triton, tokenizer: . }]`);
    const logger = pino({ level: 'silent' });
    gateway = await startGateway({
      source: { kind: 'alone', routing: await fileRouting(file, logger) },
      address: '127.0.0.1',
      port: 0,
      logger,
    });
  }, 120_000);
  afterAll(async () => {
    await gateway?.close();
    await hosts.end();
  }, 60_000);

  const post = (path: string, body: object, signal?: AbortSignal) =>
    fetch(`${gateway.url}${path}`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ model: 'demo', ...body }),
      ...(signal ? { signal } : {}),
    });

  it('streams completions and chats', async () => {
    const completion = await streamCompletion(gateway.url, { model: 'demo', prompt: 'Once upon a time', maxTokens: 40, ignoreEos: true });
    expect(completion).toMatchObject({ inputTokens: 4, outputTokens: 40, finishReason: 'length' });
    expect(completion.text.trim().split(' ')).toHaveLength(40);
    expect(completion.tokenTimesMs.length).toBeGreaterThan(1);
    const messages = [{ role: 'user' as const, content: 'Say something.' }];
    const chat = await streamCompletion(gateway.url, { model: 'demo', messages, maxTokens: 12, ignoreEos: true });
    // user : Say something . assistant :
    expect(chat).toMatchObject({ inputTokens: 7, outputTokens: 12, finishReason: 'length' });
  });

  it('answers as a whole, with the same words', async () => {
    const body = { prompt: 'Once upon a time', max_tokens: 8, ignore_eos: true, seed: 1 };
    const whole = (await (await post('/v1/completions', body)).json()) as { choices: { text: string }[] };
    expect(whole).toMatchObject({ choices: [{ finish_reason: 'length' }], usage: { prompt_tokens: 4, completion_tokens: 8 } });
    const streamed = await (await post('/v1/completions', { ...body, stream: true })).text();
    const texts = [...streamed.matchAll(/"text":("[^"]*")/g)].map(([, text]) => JSON.parse(text!) as string);
    expect(texts.join('')).toBe(whole.choices[0]!.text);
  });

  it('a client that goes frees its place, whether it streams or not', async () => {
    for (const stream of [true, false]) {
      const leave = new AbortController();
      const left = post('/v1/completions', { prompt: 'x', max_tokens: 400, ignore_eos: true, stream }, leave.signal).then((r) => r.text());
      await until(async () => (await running()) === 1, 'it runs');
      leave.abort();
      await expect(left).rejects.toThrow();
      await until(async () => (await running()) === 0, 'its place is free');
    }
  });

  it('tells what is wrong with a request, in the gateway’s words or in the engine’s', async () => {
    const errorOf = async (body: object) => {
      const response = await post('/v1/completions', { prompt: 'x', ...body });
      const { error } = (await response.json()) as { error: { code: string; param: string | null; message: string } };
      return { status: response.status, ...error };
    };
    expect(await errorOf({ n: 2 })).toMatchObject({ status: 400, param: 'n' });
    const tooLong = await errorOf({ prompt: 'word '.repeat(20_000) });
    expect(tooLong).toMatchObject({ status: 400, code: 'engine_rejected' });
    expect(tooLong.message).toMatch(/longer than the maximum model length/);
  });
}
