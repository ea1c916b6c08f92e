import { connect } from 'node:net';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { complete, type RoutedGateway, routedReplica, sloPolicy, startRoutedGateway, until } from '../../test/support/gateway.ts';
import { DONE, startUpstream, streamed, type TestUpstream, token, usageEvent, whole } from '../../test/support/upstream.ts';

let gateway: RoutedGateway;
let engine: TestUpstream;
beforeEach(async () => {
  engine = await startUpstream();
  gateway = await startRoutedGateway();
  gateway.route([routedReplica({ replicaId: 'r1', endpoint: engine.url })], [sloPolicy({ priority: 100 })]);
});
afterEach(async () => {
  await gateway.close();
  await engine.close();
});

describe('relaying', () => {
  it('passes a stream byte for byte to its [DONE], without the usage chunk that only we asked for', async () => {
    engine.answer = (res) => {
      res.writeHead(200, { 'content-type': 'text/event-stream' });
      res.end(`: hello\n\n${token('grüße')}event: x\n${token('b')}${usageEvent(7, 2)}${DONE}`);
    };
    const response = await complete(gateway, { stream: true });
    expect(response.status).toBe(200);
    expect(response.headers.get('content-type')).toBe('text/event-stream');
    expect(await response.text()).toBe(`: hello\n\n${token('grüße')}event: x\n${token('b')}${DONE}`);
    expect(engine.received[0]?.text).toBe(
      '{"model":"chat","prompt":"hello","stream":true,"stream_options":{"include_usage":true},"priority":-100}',
    );
  });

  it('passes the usage chunk to a client that asked for it, and changes nothing of the request then', async () => {
    engine.answer = streamed(['a', 'b']);
    gateway.route([routedReplica({ replicaId: 'r1', endpoint: engine.url })]);
    const response = await complete(gateway, { stream: true, stream_options: { include_usage: true } });
    expect(await response.text()).toBe(token('a') + token('b') + usageEvent(7, 2) + DONE);
    expect(engine.received[0]?.text).toBe('{"model":"chat","prompt":"hello","stream":true,"stream_options":{"include_usage":true}}');
  });

  it('passes a whole answer with its status and headers', async () => {
    engine.answer = whole;
    const response = await complete(gateway, { best_of: 1, unknown: { x: [1] } });
    expect(await response.json()).toMatchObject({ usage: { completion_tokens: 1 } });
    expect(response.headers.get('x-engine')).toBe('yes');
    expect(engine.received[0]?.json).toEqual({ model: 'chat', prompt: 'hello', best_of: 1, unknown: { x: [1] }, priority: -100 });
  });

  it("passes an engine's refusal as it is", async () => {
    engine.answer = (res) => res.writeHead(400, { 'content-type': 'application/json' }).end('{"error":{"message":"too long"}}');
    const response = await complete(gateway, {});
    expect(response.status).toBe(400);
    expect(await response.text()).toBe('{"error":{"message":"too long"}}');
  });

  it('tells the engine what concerns it, and keeps what does not', async () => {
    const headers = {
      traceparent: '00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01',
      'x-request-id': 'mine-1',
      'x-session-id': 's',
      authorization: 'Bearer secret',
      cookie: 'a=b',
    };
    const response = await complete(gateway, { stream: true }, { headers });
    await response.text();
    const seen = engine.received[0]!.headers;
    expect(seen).toMatchObject({ traceparent: headers.traceparent, 'x-request-id': 'mine-1', 'x-session-id': 's' });
    expect(seen).not.toHaveProperty('authorization');
    expect(seen).not.toHaveProperty('cookie');
    expect(seen).not.toHaveProperty('accept-encoding');
    expect(response.headers.get('x-request-id')).toBe('mine-1');
  });

  it('says what it did, and marks what is simulated', async () => {
    gateway.route([routedReplica({ replicaId: 'sim', endpoint: engine.url, simulated: true, engine: 'simulated' })]);
    const response = await complete(gateway, { stream: true, max_tokens: 50 });
    await response.text();
    const header = (name: string) => response.headers.get(name);
    expect(header('x-uellm-replica')).toBe('sim');
    expect(header('x-uellm-simulated')).toBe('true');
    expect(Number(header('x-uellm-queue-ms'))).toBeLessThan(50);
    expect(Number(header('x-uellm-predicted-output-tokens'))).toBe(50);
    expect(Number(header('x-uellm-overhead-ms'))).toBeGreaterThan(0);
    expect(header('x-request-id')).toMatch(/^req-/);
  });

  it('keeps that to itself where it is told to, but never that an engine is simulated', async () => {
    const quiet = await startRoutedGateway({ explainHeaders: false });
    quiet.route([routedReplica({ replicaId: 'sim', endpoint: engine.url, simulated: true })]);
    const response = await complete(quiet, { stream: true });
    await response.text();
    expect([...response.headers.keys()].filter((k) => k.startsWith('x-uellm'))).toEqual(['x-uellm-simulated']);
    await quiet.close();
  });

  it('asks an engine under a path of its own, with the query that came', async () => {
    gateway.route([routedReplica({ replicaId: 'r1', endpoint: `${engine.url}/team/llm` })]);
    const response = await fetch(`${gateway.url}/v1/chat/completions?x=1`, {
      method: 'POST',
      body: '{"model":"chat","messages":[],"stream":true}',
    });
    await response.text();
    expect(engine.received[0]?.path).toBe('/team/llm/v1/chat/completions?x=1');
  });
});

describe('a client that leaves', () => {
  it('ends the request at the engine and gives its place back', async () => {
    engine.answer = streamed(Array(1000).fill('x'), 10);
    const leave = new AbortController();
    const response = await complete(gateway, { stream: true }, { signal: leave.signal });
    await response.body!.getReader().read();
    expect((await statsOf(gateway)).replicas[0].inFlight).toBe(1);
    leave.abort();
    await until(() => engine.received[0]!.aborted);
    const stats = await statsOf(gateway);
    expect(stats.replicas[0]).toMatchObject({ inFlight: 0, finished: 1 });
    expect(stats.deployments[0].classes[0]).toMatchObject({ requests: 1, cancelled: 1 });
    expect(stats.open).toBe(0);
  });

  it('slows its engine down while it does not read, in bounded memory, and gets all of it in the end', async () => {
    const [events, size] = [400, 64 * 1024];
    let written = 0;
    engine.answer = async (res) => {
      res.writeHead(200, { 'content-type': 'text/event-stream' });
      for (let i = 0; i < events; i++) {
        if (!res.write(token('x'.repeat(size)))) await new Promise((resolve) => res.once('drain', resolve));
        written += 1;
      }
      res.end(DONE);
    };
    const socket = connect(Number(new URL(gateway.url).port), '127.0.0.1');
    socket.pause();
    const body = '{"model":"chat","prompt":"x","stream":true}';
    socket.write(`POST /v1/completions HTTP/1.1\r\nhost: localhost\r\ncontent-length: ${body.length}\r\n\r\n${body}`);
    await new Promise((resolve) => setTimeout(resolve, 500));
    expect(written).toBeLessThan(events / 2);
    let bytes = 0;
    let tail = '';
    socket.on('data', (chunk) => {
      bytes += chunk.length;
      tail = (tail + chunk.toString('latin1')).slice(-40);
    });
    socket.resume();
    await until(() => tail.includes('[DONE]'), 15_000);
    expect(bytes).toBeGreaterThan(events * size);
    socket.destroy();
  });

  it('is let go when it reads nothing for too long', async () => {
    const strict = await startRoutedGateway({ clientStallMs: 200 });
    strict.route([routedReplica({ replicaId: 'r1', endpoint: engine.url })]);
    engine.answer = (res) => {
      res.writeHead(200, { 'content-type': 'text/event-stream' });
      const pour = () => {
        while (!res.destroyed && res.write(token('x'.repeat(64 * 1024))));
        if (!res.destroyed) res.once('drain', pour);
      };
      pour();
    };
    const socket = connect(Number(new URL(strict.url).port), '127.0.0.1');
    socket.on('error', () => undefined);
    socket.pause();
    const body = '{"model":"chat","prompt":"x","stream":true}';
    socket.write(`POST /v1/completions HTTP/1.1\r\nhost: localhost\r\ncontent-length: ${body.length}\r\n\r\n${body}`);
    await until(() => engine.received[0]?.aborted === true);
    expect((await statsOf(strict)).open).toBe(0);
    socket.destroy();
    await strict.close();
  });
});

// biome-ignore lint/suspicious/noExplicitAny: what is in it is what these tests are about
async function statsOf({ url }: { url: string }): Promise<any> {
  return (await fetch(`${url}/uellm/stats`)).json();
}
