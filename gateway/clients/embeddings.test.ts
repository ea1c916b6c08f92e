import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { type ErrorBody, type RoutedGateway, routedReplica, sloPolicy, startRoutedGateway } from '../../test/support/gateway.ts';
import { startUpstream, type TestUpstream } from '../../test/support/upstream.ts';
import { forwardedBody, readRequest } from '../body/request.ts';
import { RequestError } from '../errors.ts';

let gateway: RoutedGateway;
let engine: TestUpstream;
beforeEach(async () => {
  engine = await startUpstream((res) => {
    res.writeHead(200, { 'content-type': 'application/json' });
    res.end('{"object":"list","data":[],"usage":{"prompt_tokens":5,"total_tokens":5,"completion_tokens":0}}');
  });
  gateway = await startRoutedGateway();
  gateway.route([routedReplica({ replicaId: 'r1', endpoint: engine.url })], [sloPolicy({ priority: 100 })]);
});
afterEach(async () => {
  await gateway.close();
  await engine.close();
});

const embed = (text: string) =>
  fetch(`${gateway.url}/v1/embeddings`, { method: 'POST', headers: { 'content-type': 'application/json' }, body: text });
const read = (body: object) => readRequest('embedding', Buffer.from(JSON.stringify({ model: 'm', ...body })));

describe('embeddings', () => {
  it('are asked for with the same bytes, whatever the priority of their policy', async () => {
    const text = '{ "model":"chat", "input": ["a","b"],  "encoding_format":"base64", "stream": true, "unknown": {"x":1} }';
    const response = await embed(text);
    expect(await response.json()).toMatchObject({ usage: { prompt_tokens: 5 } });
    expect([engine.received[0]?.path, engine.received[0]?.text]).toEqual(['/v1/embeddings', text]);
    expect(response.headers.get('x-uellm-replica')).toBe('r1');
    expect(response.headers.has('x-uellm-predicted-output-tokens')).toBe(false);
    expect(Number(response.headers.get('x-uellm-predicted-ttft-ms'))).toBeGreaterThan(0);
  });

  it('may not jump the queue of an engine', () => {
    const request = read({ input: 'a', priority: -1000 });
    expect(JSON.parse(forwardedBody(request, 100).toString())).toMatchObject({ priority: -100 });
  });

  it('are counted as requests without output', async () => {
    await (await embed('{"model":"chat","input":"a"}')).text();
    const text = await (await fetch(`${gateway.url}/metrics`)).text();
    expect(text).toMatch(/uellm_requests_total\{[^}]*outcome="ok"\} 1/);
    expect(text).not.toMatch(/uellm_output_tokens_total\{/);
    expect(text).not.toMatch(/uellm_request_ttft_seconds_count\{/);
    const { replicas } = (await (await fetch(`${gateway.url}/uellm/stats`)).json()) as { replicas: object[] };
    expect(replicas[0]).toMatchObject({ inFlight: 0, finished: 1 });
  });

  it.each([
    ['a text', { input: 'abcd' }, { characters: 4, tokens: 0 }],
    ['texts', { input: ['ab', 'cd'] }, { characters: 4, tokens: 0 }],
    ['token ids', { input: [1, 2, 3] }, { characters: 0, tokens: 3 }],
    ['lists of token ids', { input: [[1, 2], [3]] }, { characters: 0, tokens: 3 }],
    ['messages', { messages: [{ role: 'user', content: 'abcd' }] }, { characters: 4, tokens: 0 }],
  ])('take %s', (_, body, prompt) => {
    expect(read(body)).toMatchObject({ endpoint: 'embedding', streamed: false, maxTokens: null, choices: 1, prompt });
  });

  it.each([[{}], [{ input: 7 }], [{ input: ['a', 1] }]])('refuse %j by name', (body) => {
    expect(() => read(body)).toThrow(RequestError);
    expect(() => read(body)).toThrow("'input'");
  });

  it('are refused where only Triton serves the model', async () => {
    gateway.route([routedReplica({ replicaId: 't', endpoint: engine.url, engine: 'triton' })]);
    const response = await embed('{"model":"chat","input":"a"}');
    expect(response.status).toBe(400);
    expect(((await response.json()) as ErrorBody).error).toMatchObject({ param: 'input', message: expect.stringContaining('embeddings') });
    expect(engine.received).toEqual([]);
  });
});

describe('answers asked for', () => {
  it.each([
    [{ prompt: 'a', n: 3 }, 3],
    [{ prompt: ['a', 'b'], n: 3 }, 6],
    [{ prompt: [1, 2, 3] }, 1],
    [{ prompt: [[1], [2]] }, 2],
    [{ prompt: [] }, 1],
  ])('%j: %d', (body, choices) => {
    expect(readRequest('completion', Buffer.from(JSON.stringify({ model: 'm', ...body }))).choices).toBe(choices);
  });
});
