import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { text } from 'node:stream/consumers';
import { afterEach, describe, expect, it } from 'vitest';
import { listModels, probeHealth, probeReady, streamCompletion } from './openai.ts';

let server: Server;
afterEach(() => server.closeAllConnections());

async function serve(answer: (req: IncomingMessage, res: ServerResponse) => unknown): Promise<string> {
  server = createServer(answer);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

const wait = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));

describe('readiness', () => {
  it('is health and the name', async () => {
    let status = 503;
    const endpoint = await serve((req, res) => {
      res.writeHead(req.url === '/health' ? status : 200).end(req.url === '/v1/models' ? '{"data":[{"id":"a"},{"id":"b"}]}' : '');
    });
    expect(await probeReady(endpoint, 'a')).toEqual({
      state: 'loading',
      detail: expect.stringContaining('/health is unavailable: answers 503'),
    });
    status = 200;
    await probeHealth(endpoint);
    expect(await listModels(endpoint)).toEqual(['a', 'b']);
    expect(await probeReady(endpoint, 'b')).toEqual({ state: 'ready' });
    expect(await probeReady(endpoint, 'c')).toEqual({ state: 'loading', detail: 'serves a, b, not yet c' });
  });

  it('says what is wrong with an answer that is no list of models', async () => {
    const endpoint = await serve((_, res) => res.end('<html>hello'));
    await expect(listModels(endpoint)).rejects.toThrow(/no list of models: <html>hello/);
  });

  it('is loading while nobody listens', async () => {
    expect(await probeReady('http://127.0.0.1:9', 'a')).toMatchObject({
      state: 'loading',
      detail: expect.stringContaining('ECONNREFUSED'),
    });
  });
});

describe('a streamed completion', () => {
  it('is timed from its request to its first token, however the bytes are cut', async () => {
    let asked: unknown;
    const endpoint = await serve(async (req, res) => {
      asked = { url: req.url, ...JSON.parse(await text(req)) };
      await wait(40);
      res.write('data: {"choices":[{"text":"a"}]}\n\nda');
      await wait(30);
      res.write('ta: {"choices":[{"text":"ü"}]}\r\n\r\n: ping\n\ndata: {"choices":[{"text":"","finish_reason":"length"}]}\n\n');
      res.end('data: {"choices":[],"usage":{"prompt_tokens":5,"completion_tokens":3}}\n\ndata: [DONE]\n\n');
    });
    const result = await streamCompletion(endpoint, { model: 'm', prompt: [1, 2], maxTokens: 3, ignoreEos: true });
    expect(asked).toEqual({
      url: '/v1/completions',
      model: 'm',
      prompt: [1, 2],
      max_tokens: 3,
      ignore_eos: true,
      stream: true,
      stream_options: { include_usage: true },
    });
    expect(result).toMatchObject({ inputTokens: 5, outputTokens: 3, finishReason: 'length', text: 'aü' });
    expect(result.tokenTimesMs).toHaveLength(3);
    expect(result.ttftMs).toBeGreaterThanOrEqual(38);
    expect(result.tokenTimesMs[1]! - result.ttftMs).toBeGreaterThanOrEqual(25);
  });

  it('of a chat does not count the opening with its role as a token', async () => {
    const deltas = ['{"role":"assistant","content":""}', '{"content":"hi"}', '{}'];
    const endpoint = await serve((req, res) => {
      expect(req.url).toBe('/v1/chat/completions');
      res.end(`${deltas.map((delta) => `data: {"choices":[{"delta":${delta}}]}\n\n`).join('')}data: [DONE]\n\n`);
    });
    const result = await streamCompletion(endpoint, { model: 'm', messages: [{ role: 'user', content: 'x' }], maxTokens: 1 });
    expect([result.tokenTimesMs.length, result.text]).toEqual([1, 'hi']);
  });

  it.each([
    ['is refused', (res: ServerResponse) => res.writeHead(400).end('{"error":"no such model"}'), /answers 400 .*no such model/],
    ['ends without [DONE]', (res: ServerResponse) => res.end('data: {"choices":[{"text":"a"}]}\n\n'), /ended without \[DONE\]/],
    ['reports an error', (res: ServerResponse) => res.end('data: {"error":{"message":"out of memory"}}\n\n'), /out of memory/],
    [
      'breaks off',
      (res: ServerResponse) => res.write('data: {"choices":[{"text":"a"}]}\n\n', () => res.destroy()),
      /\/v1\/completions is unavailable/,
    ],
  ])('that %s fails with the reason', async (_, answer, reason) => {
    const endpoint = await serve((_, res) => answer(res));
    await expect(streamCompletion(endpoint, { model: 'm', prompt: 'x', maxTokens: 1 })).rejects.toThrow(reason);
  });

  it('can be given up', async () => {
    const endpoint = await serve((_, res) => res.write('data: {"choices":[{"text":"a"}]}\n\n'));
    const signal = AbortSignal.timeout(50);
    await expect(streamCompletion(endpoint, { model: 'm', prompt: 'x', maxTokens: 1, signal })).rejects.toThrow(/timeout/i);
  });
});
