import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { text } from 'node:stream/consumers';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import type { TraceRequest } from '../../core/simulator/traces/trace.ts';
import { promptOf } from './prompts.ts';
import { startTraffic, type TrafficOptions } from './traffic.ts';

type Chat = { model: string; messages: { content: string }[]; max_tokens: number; simulated_output_tokens: number; sloClass: unknown };

describe('startTraffic', () => {
  let server: Server;
  let gatewayUrl: string;
  let chats: Chat[];
  let answer: (chat: Chat, response: ServerResponse) => void;
  let stop: AbortController;

  beforeEach(async () => {
    chats = [];
    answer = (_, response) => response.end('data: {}\n\ndata: [DONE]\n\n');
    stop = new AbortController();
    server = createServer(async (request: IncomingMessage, response) => {
      const chat = { ...JSON.parse(await text(request)), sloClass: request.headers['x-slo-class'] } as Chat;
      chats.push(chat);
      answer(chat, response);
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    gatewayUrl = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  });
  afterEach(async () => {
    stop.abort();
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
  });

  const start = (requests: TraceRequest[], more: Partial<TrafficOptions> = {}) =>
    startTraffic({ gatewayUrl, requests, deployments: [{ name: 'chat', share: 1 }], signal: stop.signal, ...more });
  const request = (arrivalMs: number, more: Partial<TraceRequest> = {}): TraceRequest => ({
    arrivalMs,
    inputTokens: 100,
    outputTokens: 20,
    ...more,
  });
  const none = { sent: 0, inFlight: 0, ok: 0, refused: 0, failed: 0, cut: 0, notSent: 0, abandoned: 0 };

  it('sends what the trace says, to deployments by their shares', async () => {
    const deployments = [
      { name: 'small', share: 3 },
      { name: 'large', share: 1 },
    ];
    const requests = Array.from({ length: 8 }, (_, i) =>
      request(i, i === 0 ? { class: 'batch', prompt: 'hello', outputTokens: 3000 } : {}),
    );
    expect(await start(requests, { deployments }).done).toEqual({ ...none, sent: 8, ok: 8 });
    expect(chats.filter((c) => c.model === 'large')).toHaveLength(2);
    const first = chats.find((c) => c.sloClass === 'batch')!;
    expect(first).toMatchObject({ messages: [{ content: 'hello' }], max_tokens: 3000, simulated_output_tokens: 3000 });
    const others = chats.filter((c) => c !== first);
    expect(others.every((c) => c.sloClass === 'standard' && c.max_tokens === 1024)).toBe(true);
    expect(new Set(others.map((c) => c.messages[0]!.content.slice(0, 40))).size).toBe(7);
  });

  it('keeps time, scaled', async () => {
    const startMs = performance.now();
    await start([request(0), request(600)], { rateScale: 3 }).done;
    expect(performance.now() - startMs).toBeGreaterThan(190);
    expect(performance.now() - startMs).toBeLessThan(600);
  });

  it('counts every kind of end', async () => {
    const ends: ((response: ServerResponse) => void)[] = [
      (response) => response.writeHead(429, { 'retry-after': '1' }).end('{}'),
      (response) => response.writeHead(503).end('{}'),
      (response) => response.writeHead(500).end('{}'),
      (response) => response.destroy(),
      (response) => response.end('data: {}\n\n'),
      (response) => response.write('data: {}\n\n', () => response.destroy()),
      (response) => response.write('data: {}\n\ndata: [DO', () => setTimeout(() => response.end('NE]\n\n'), 20)),
    ];
    answer = (chat, response) => ends[chat.simulated_output_tokens - 1]!(response);
    const counts = await start(ends.map((_, i) => request(0, { outputTokens: i + 1 }))).done;
    expect(counts).toEqual({ ...none, sent: 7, ok: 1, refused: 2, failed: 2, cut: 2 });
  });

  it('counts what it did not send because too much was open', async () => {
    answer = (_, response) => setTimeout(() => response.end('data: [DONE]\n\n'), 100);
    expect(await start([request(0), request(1), request(2), request(3)], { maxInFlight: 2 }).done).toEqual({
      ...none,
      sent: 2,
      ok: 2,
      notSent: 2,
    });
  });

  it('begins again at the end, until stopped, and lets open streams end', async () => {
    answer = (_, response) => setTimeout(() => response.end('data: [DONE]\n\n'), 50);
    const traffic = start([request(0), request(10)], { loop: true });
    await vi.waitFor(() => expect(traffic.counts().sent).toBeGreaterThan(5), 5000);
    stop.abort();
    const { sent, ok, ...rest } = await traffic.done;
    expect(sent).toBe(ok);
    expect(rest).toMatchObject({ inFlight: 0, abandoned: 0, cut: 0 });
    expect(chats).toHaveLength(sent);
  });

  it('abandons streams that do not end within the grace', async () => {
    answer = (_, response) => response.write('data: {}\n\n');
    const traffic = start([request(0)], { graceMs: 50 });
    await vi.waitFor(() => expect(chats).toHaveLength(1), 5000);
    stop.abort();
    expect(await traffic.done).toEqual({ ...none, sent: 1, abandoned: 1 });
  });

  it('counts a gateway that is not there as failures', async () => {
    expect(await start([request(0)], { gatewayUrl: 'http://127.0.0.1:9' }).done).toEqual({ ...none, sent: 1, failed: 1 });
  });
});

describe('promptOf', () => {
  it.each([1, 20, 1155, 16_384, 100_000])('has about four bytes a token (%i tokens)', (tokens) => {
    expect(promptOf(tokens, 12_345)).toHaveLength(4 * tokens);
  });
});
