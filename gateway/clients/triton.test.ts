/** Triton replicas behind the gateway: the same API in front, whatever is behind. */
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { RoutedReplica } from '../../core/domain/routing.ts';
import { complete, type ErrorBody, type RoutedGateway, routedReplica, startRoutedGateway, until } from '../../test/support/gateway.ts';
import { beginTriton, startTriton, tritonError, tritonEvent, tritonTokens } from '../../test/support/triton.ts';
import { startUpstream, streamed, type TestUpstream, whole } from '../../test/support/upstream.ts';

const chat = { template: '{% for m in messages %}{{ m.role }}: {{ m.content }};{% endfor %}', bosToken: '', eosToken: '' };
let gateway: RoutedGateway;
let triton: TestUpstream;
let other: TestUpstream;
beforeEach(async () => {
  [triton, other] = [await startTriton(), await startTriton()];
  gateway = await startRoutedGateway();
});
afterEach(async () => {
  await gateway.close();
  await Promise.all([triton.close(), other.close()]);
});

const replica = (replicaId: string, endpoint: string, parts: Partial<RoutedReplica> = {}) =>
  routedReplica({ replicaId, endpoint, engine: 'triton', chat, ...parts });
const post = (body: object, init: { headers?: Record<string, string>; signal?: AbortSignal } = {}) =>
  fetch(`${gateway.url}/v1/chat/completions`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', ...init.headers },
    body: JSON.stringify({ model: 'chat', messages: [{ role: 'user', content: 'hi' }], ...body }),
    ...(init.signal ? { signal: init.signal } : {}),
  });
const errorOf = async (response: Response) => ({ status: response.status, ...((await response.json()) as ErrorBody).error });
const contents = (text: string) => [...text.matchAll(/"content":"([^"]*)"/g)].map(([, content]) => content).join('');

describe('a Triton replica', () => {
  it('streams chats and completions, and says of them what it says of any', async () => {
    gateway.route([replica('t1', triton.url)]);
    const streaming = await post(
      { stream: true, stream_options: { include_usage: true }, max_tokens: 9 },
      { headers: { 'x-request-id': 'mine', traceparent: '00-a-b-01', 'x-session-id': 's', 'x-uellm-explain': 'true' } },
    );
    const text = await streaming.text();
    expect(contents(text)).toBe('abc');
    expect(text).toMatch(/"id":"chatcmpl-mine".*"model":"chat"/);
    expect(text).toMatch(
      /"finish_reason":"stop"}]}\n\ndata: .*"usage":{"prompt_tokens":5,"total_tokens":8,"completion_tokens":3}}\n\ndata: \[DONE\]\n\n$/,
    );
    expect(streaming.headers.get('x-request-id')).toBe('mine');
    expect(streaming.headers.get('x-uellm-replica')).toBe('t1');
    expect(JSON.parse(streaming.headers.get('x-uellm-explanation')!)).toMatchObject({ replica: 't1' });
    const [seen] = triton.received;
    expect(seen?.path).toBe('/v2/models/chat/generate_stream');
    expect(seen?.json).toMatchObject({ id: 'mine', text_input: 'user: hi;', sampling_parameters: '{"max_tokens":9}' });
    expect(seen?.headers).toMatchObject({ traceparent: '00-a-b-01', 'x-request-id': 'mine' });
    expect(seen?.headers).not.toHaveProperty('x-session-id');

    const completion = await complete(gateway, {});
    expect(completion.headers.get('content-type')).toBe('application/json');
    expect(await completion.json()).toMatchObject({
      object: 'text_completion',
      choices: [{ text: 'abc', finish_reason: 'stop' }],
      usage: { prompt_tokens: 5, completion_tokens: 3 },
    });
    const models = (await (await fetch(`${gateway.url}/v1/models`)).json()) as { data: { id: string }[] };
    expect(models.data.map(({ id }) => id)).toEqual(['chat', 'llama-3.1-8b']);
    expect(await (await fetch(`${gateway.url}/metrics`)).text()).toMatch(/output_tokens_total{[^}]*deployment="chat"[^}]*} 6/);
  });

  it('that fails before its first token is followed by another', async () => {
    triton.answer = (res) => beginTriton(res, 400).end(tritonError('Error generating stream: dead'));
    gateway.route([replica('t1', triton.url), replica('t2', other.url)]);
    const responses = await Promise.all(Array.from({ length: 6 }, () => post({ stream: true })));
    expect((await Promise.all(responses.map((r) => r.text()))).map(contents)).toEqual(Array(6).fill('abc'));
    triton.answer = (res) => beginTriton(res).end();
    expect(contents(await (await post({ stream: true })).text())).toBe('abc');
    triton.answer = (res) => beginTriton(res).end(tritonError('dead'));
    expect(contents(await (await post({ stream: true })).text())).toBe('abc');
  });

  it('that refuses alone has the last word', async () => {
    triton.answer = (res) => beginTriton(res, 400).end(tritonError('Error generating stream: too long'));
    gateway.route([replica('t1', triton.url)]);
    const refused = { status: 400, code: 'engine_rejected', message: 'the engine refuses the request: Error generating stream: too long' };
    expect(await errorOf(await post({ stream: true }))).toMatchObject(refused);
    triton.answer = (res) => res.writeHead(404).end('{"error":"Request for unknown model"}');
    expect(await errorOf(await post({}))).toMatchObject({ status: 502, code: 'engine_failed' });
  });

  it.each([
    ['reports an error', tritonError('CUDA error'), 'the engine did not answer: CUDA error'],
    ['ends too early', '', 'the engine did not answer: its stream broke off'],
  ])('that %s after its first token ends the stream as vLLM’s would', async (_, last, message) => {
    triton.answer = (res) => {
      beginTriton(res);
      res.end(tritonEvent({ text: 'a' }) + last);
    };
    gateway.route([replica('t1', triton.url)]);
    const text = await (await post({ stream: true })).text();
    if (last === '') expect(contents(text)).toBe('a');
    expect(text).toContain(`{"message":"${message}","type":"server_error","code":"engine_failed"`);
    expect(text).not.toContain('[DONE]');
    expect((await errorOf(await post({}))).message).toBe(message);
  });

  it('is let go when the client goes', async () => {
    triton.answer = (res) => {
      beginTriton(res);
      res.write(tritonEvent({ text: 'a' }));
    };
    gateway.route([replica('t1', triton.url)]);
    for (const stream of [true, false]) {
      const leave = new AbortController();
      const left = post({ stream }, { signal: leave.signal }).then((r) => r.text());
      await until(() => triton.received.length === (stream ? 1 : 2));
      leave.abort();
      await expect(left).rejects.toThrow();
      await until(() => triton.received.at(-1)!.aborted);
    }
  });

  it('is given no chat that its template does not take', async () => {
    gateway.route([replica('t1', triton.url, { chat: { ...chat, template: "{{ raise_exception('no system prompts') }}" } })]);
    const refused = await errorOf(await post({}));
    expect(refused).toMatchObject({ status: 400, code: 'chat_template_failed', param: 'messages' });
    expect(refused.message).toContain('no system prompts');
    expect(triton.received).toEqual([]);
  });
});

describe('what Triton cannot do', () => {
  const tools = { tools: [{ type: 'function', function: { name: 'f' } }] };

  it('is refused at once where all replicas are Triton’s', async () => {
    gateway.route([replica('t1', triton.url)]);
    expect(await errorOf(await post({ ...tools, stream: true }))).toMatchObject({ status: 400, code: 'invalid_value', param: 'tools' });
    expect(triton.received).toEqual([]);
  });

  it.each(['uellm', 'least-in-flight'])('goes where it can be done, by the policy %s', async (policy) => {
    const vllm = await startUpstream(whole);
    await gateway.close();
    gateway = await startRoutedGateway({ policy });
    // One deployment while it changes its engine; then two deployments of one model.
    gateway.route([replica('t1', triton.url), replica('v1', vllm.url, { engine: 'vllm', revision: 2, maxInFlight: 1 })]);
    const responses = await Promise.all(Array.from({ length: 5 }, () => post(tools)));
    expect(responses.map((r) => r.headers.get('x-uellm-replica'))).toEqual(Array(5).fill('v1'));
    gateway.route([replica('t1', triton.url), replica('v1', vllm.url, { engine: 'vllm', deployment: 'other' })]);
    const byModel = await Promise.all(Array.from({ length: 5 }, () => post({ ...tools, model: 'llama-3.1-8b' })));
    expect(byModel.map((r) => r.headers.get('x-uellm-replica'))).toEqual(Array(5).fill('v1'));
    expect(triton.received).toEqual([]);
    await vllm.close();
  });
});

describe('the health of a Triton replica', () => {
  interface Stats {
    replicas: { healthy: boolean; engine: { running: number; waiting: number } | null }[];
  }
  const seen = async () => ((await (await fetch(`${gateway.url}/uellm/stats`)).json()) as Stats).replicas[0]!;

  it('is that of its model, and its load that of its model’s metrics', async () => {
    triton.metrics.text = [
      'nv_inference_pending_request_count{model="chat",version="1"} 2',
      'nv_inference_pending_request_count{model="chat",version="2"} 1',
      'nv_inference_pending_request_count{model="another",version="1"} 40',
      '',
    ].join('\n');
    gateway.route([replica('t1', triton.url)]);
    await until(async () => (await seen()).engine?.waiting === 3);
    triton.metrics.text = 'vllm:num_requests_running{model="chat",version="1"} 5\nvllm:num_requests_waiting{model="chat",version="1"} 7\n';
    await until(async () => (await seen()).engine?.running === 5 && (await seen()).engine?.waiting === 7);
    triton.ready = 400;
    await until(async () => !(await seen()).healthy);
    triton.ready = 200;
    await until(async () => (await seen()).healthy);
  });

  it('does not depend on metrics that are switched off', async () => {
    const bare = await startUpstream(tritonTokens(['x']));
    gateway.route([replica('t1', bare.url)]);
    await new Promise((resolve) => setTimeout(resolve, 800));
    expect(await seen()).toMatchObject({ healthy: true, engine: null });
    expect(contents(await (await post({ stream: true })).text())).toBe('x');
    await bare.close();
  });
});

it('a replica that is no Triton’s is sent what came, as ever', async () => {
  const vllm = await startUpstream(streamed(['a']));
  gateway.route([replica('v1', vllm.url, { engine: 'vllm' })]);
  await (await post({ stream: true, tools: [], anything: 1 })).text();
  expect(vllm.received[0]).toMatchObject({ path: '/v1/chat/completions', json: { tools: [], anything: 1 } });
  await vllm.close();
});
