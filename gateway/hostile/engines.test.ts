/** Engines that answer something that is no answer. The client gets a clear error, or a cut stream, and the next request is served. */
import { gzipSync } from 'node:zlib';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { complete, routedReplica, until } from '../../test/support/gateway.ts';
import { type BesiegedGateway, errorOf, type RawEngine, startBesieged, startRawEngine } from '../../test/support/hostile.ts';
import { DONE, token } from '../../test/support/upstream.ts';

/** Longest silence of an engine. */
const SILENT_MS = 400;

let gateway: BesiegedGateway;
beforeAll(async () => {
  gateway = await startBesieged({ upstreamIdleMs: SILENT_MS });
});
afterAll(() => gateway.close());

let engine: RawEngine | null = null;
afterEach(() => engine?.close());

/** Answers each request with these bytes, and ends the connection unless told otherwise. */
async function serveBytes(bytes: string | Buffer, { keep = false } = {}): Promise<RawEngine> {
  engine = await startRawEngine((socket) => (keep ? socket.write(bytes) : socket.end(bytes)));
  gateway.serve(routedReplica({ replicaId: 'r1', endpoint: engine.url }));
  return engine;
}

const ask = (stream = false) => gateway.beside(() => complete(gateway, { stream }));
const whole = (head: string, body: string) => `HTTP/1.1 200 OK\r\ncontent-type: application/json\r\n${head}\r\n${body}`;
const events = (head: string, body: string) => `HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n${head}\r\n${body}`;
const chunk = (text: string) => `${Buffer.byteLength(text).toString(16)}\r\n${text}\r\n`;

describe('what is no HTTP is a clear error', () => {
  it.each([
    ['nothing', ''],
    ['another protocol', '220 smtp.example ESMTP\r\n'],
    ['HTTP/2', Buffer.from('000012040000000000000300000064000400a00000', 'hex')],
    ['TLS', Buffer.from('1603010200010001fc0303', 'hex')],
    ['binary', Buffer.from(Array.from({ length: 4096 }, (_, i) => (i * 7919) % 256))],
    ['a status that is none', 'HTTP/1.1 hello OK\r\ncontent-length: 0\r\n\r\n'],
    ['a status of 0', 'HTTP/1.1 000 OK\r\ncontent-length: 0\r\n\r\n'],
    ['a status of 99', 'HTTP/1.1 099 OK\r\ncontent-length: 0\r\n\r\n'],
    ['a status of four digits', 'HTTP/1.1 2000 OK\r\ncontent-length: 0\r\n\r\n'],
    ['another version', 'HTTP/3.7 200 OK\r\ncontent-length: 0\r\n\r\n'],
    ['a change of protocols', 'HTTP/1.1 101 Switching Protocols\r\nupgrade: x\r\nconnection: upgrade\r\n\r\n'],
    ['nothing but an interim answer', 'HTTP/1.1 100 Continue\r\n\r\n'],
    ['a length that is none', whole('content-length: many\r\n', '{}')],
    ['a length below 0', whole('content-length: -1\r\n', '{}')],
    ['two lengths', whole('content-length: 1\r\ncontent-length: 2\r\n', '{}')],
    ['a header without a name', whole(': x\r\ncontent-length: 2\r\n', '{}')],
    ['a header without a colon', whole('hello\r\ncontent-length: 2\r\n', '{}')],
    ['headers of 1 MB', whole(`x: ${'a'.repeat(1e6)}\r\ncontent-length: 2\r\n`, '{}')],
    ['headers without an end', `HTTP/1.1 200 OK\r\n${'x: y\r\n'.repeat(50_000)}`],
    ['half a head', 'HTTP/1.1 200 OK\r\ncontent-le'],
    ['chunks that are none', whole('transfer-encoding: chunked\r\n', 'hello\r\n')],
    ['chunks of which one breaks', whole('transfer-encoding: chunked\r\n', `${chunk('{"choices":')}zz\r\n`)],
    ['chunks below 0', whole('transfer-encoding: chunked\r\n', '-1\r\nx\r\n')],
    ['chunks beyond all numbers', whole('transfer-encoding: chunked\r\n', `${'f'.repeat(64)}\r\nx`)],
    ['a NUL in a header', whole('x: a\0b\r\ncontent-length: 2\r\n', '{}')],
    ['a line feed in a header', whole('x: a\nset-cookie: b\r\ncontent-length: 2\r\n', '{}')],
    ['a carriage return in a header', whole('x: a\rset-cookie: b\r\ncontent-length: 2\r\n', '{}')],
  ])('%s', async (_, bytes) => {
    const { requests } = await serveBytes(bytes);
    const response = await ask();
    expect(response.status).toBe(502);
    expect(response.headers.get('set-cookie')).toBeNull();
    expect(await errorOf(response)).toMatchObject({ type: 'server_error', code: 'engine_failed' });
    expect(requests).toHaveLength(3);
  });

  it('and nothing for long is none: a whole answer comes at its end', async () => {
    engine = await startRawEngine((socket) => setTimeout(() => socket.write(whole('content-length: 2\r\n', '{}')), 4 * SILENT_MS));
    gateway.serve(routedReplica({ replicaId: 'r1', endpoint: engine.url }));
    expect(await (await ask()).text()).toBe('{}');
    expect(engine.requests).toHaveLength(1);
    // Of a stream it is a sign.
    const stream = await ask(true);
    expect([stream.status, (await errorOf(stream)).message]).toEqual([502, expect.stringContaining('silent')]);
  });

  it('also where it never ends', async () => {
    await serveBytes('HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nx: ', { keep: true });
    const response = await ask();
    expect(response.status).toBe(502);
    expect((await errorOf(response)).message).toContain('silent');
    await until(() => engine!.sockets.size === 0);
  });
});

describe('an answer that is not what its head says', () => {
  it.each([
    ['longer than it is', whole('content-length: 1000\r\n', '{"choices":[]}')],
    ['in chunks, without the last', whole('transfer-encoding: chunked\r\n', chunk('{"choices":[]}'))],
  ])('%s: it is cut off', async (_, bytes) => {
    await serveBytes(bytes);
    await expect(gateway.beside(async () => (await complete(gateway, {})).text())).rejects.toThrow();
  });

  it.each([
    ['a length', 'content-length: 2\r\n', '{}'],
    ['chunks', 'transfer-encoding: chunked\r\n', `${chunk('{}')}0\r\n\r\n`],
    ['chunks, with a length beside', 'transfer-encoding: chunked\r\ncontent-length: 2\r\n', `${chunk('{}')}0\r\n\r\n`],
  ])('longer than its head says (%s): what is too much goes to nobody', async (_, head, body) => {
    const { requests } = await serveBytes(whole(head, `${body}HTTP/1.1 200 OK\r\ncontent-length: 6\r\n\r\nstolen`), { keep: true });
    for (let i = 0; i < 3; i++) expect(await (await ask()).text()).toBe('{}');
    expect(requests).toHaveLength(3);
  });

  it('what comes between two requests goes to nobody', async () => {
    engine = await startRawEngine((socket) => {
      socket.write(whole('content-length: 2\r\n', '{}'));
      setTimeout(() => socket.write('HTTP/1.1 200 OK\r\ncontent-length: 6\r\n\r\nstolen'), 30);
    });
    gateway.serve(routedReplica({ replicaId: 'r1', endpoint: engine.url }));
    for (let i = 0; i < 3; i++) {
      expect(await (await ask()).text()).toBe('{}');
      await new Promise((resolve) => setTimeout(resolve, 60));
    }
  });

  it('compressed though nobody asked: a whole passes with its coding, a stream is a clear error', async () => {
    const body = gzipSync('{"choices":[]}');
    await serveBytes(
      Buffer.concat([
        Buffer.from(
          `HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-encoding: gzip\r\ncontent-length: ${body.length}\r\n\r\n`,
        ),
        body,
      ]),
    );
    expect(await (await ask()).json()).toEqual({ choices: [] });
    const stream = gzipSync(token('a') + DONE);
    await serveBytes(
      Buffer.concat([
        Buffer.from(
          `HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ncontent-encoding: gzip\r\ncontent-length: ${stream.length}\r\n\r\n`,
        ),
        stream,
      ]),
    );
    const response = await ask(true);
    expect(response.status).toBe(502);
    expect((await errorOf(response)).code).toBe('engine_failed');
  });

  it('a whole that is no JSON passes as it is, and says nothing of tokens', async () => {
    const body = '\0\x01 not json {"usage":';
    await serveBytes(whole(`content-length: ${body.length}\r\n`, body));
    expect(await (await ask()).text()).toBe(body);
  });

  it('headers of letters beyond ASCII pass', async () => {
    await serveBytes(Buffer.from(whole('x-name: caf\u00e9 \u20ac\r\ncontent-length: 2\r\n', '{}'), 'utf8'));
    const response = await ask();
    expect([response.status, await response.text()]).toEqual([200, '{}']);
  });

  it.each([
    ['204 No Content', ''],
    ['205 Reset Content', 'content-length: 0\r\n'],
    ['302 Found', 'location: http://10.0.0.1/internal\r\ncontent-length: 0\r\n'],
    ['304 Not Modified', ''],
    ['401 Unauthorized', 'www-authenticate: Basic realm=engine\r\ncontent-length: 0\r\n'],
  ])('%s is none of this API', async (status, head) => {
    await serveBytes(`HTTP/1.1 ${status}\r\n${head}\r\n`);
    const response = await ask();
    expect([response.status, response.headers.get('location'), response.headers.get('www-authenticate')]).toEqual([502, null, null]);
    const { code, message } = await errorOf(response);
    expect([code, message]).toEqual(['engine_failed', `the engine did not answer: it answers with status ${status.slice(0, 3)}`]);
  });

  it.each(['', 'content-type: Text/Event-Stream\r\n', 'content-type: text/plain\r\n'])(
    'a stream that is called %j is one',
    async (head) => {
      const bytes = (body: string) => `HTTP/1.1 200 OK\r\n${head}content-length: ${body.length}\r\n\r\n${body}`;
      await serveBytes(bytes(token('a') + DONE));
      const response = await ask(true);
      expect([response.status, await response.text()]).toEqual([200, token('a') + DONE]);
      expect(response.headers.get('content-type')?.toLowerCase()).toBe('text/event-stream');
      await serveBytes(bytes(token('a')));
      expect(await (await ask(true)).text()).toContain('its stream broke off');
      await serveBytes(bytes(''));
      expect((await ask(true)).status).toBe(502);
    },
  );

  it('an error in a stream that ends with it is told once', async () => {
    await serveBytes(events('', `${token('a')}data: {"error":{"message":"boom"}}\n\n`));
    expect(await (await ask(true)).text()).toBe(`${token('a')}data: {"error":{"message":"boom"}}\n\n`);
  });

  it('headers that it says to be of the connection stay on it, too', async () => {
    await serveBytes(whole('content-length: 2\r\nconnection: x-inner, close\r\nx-inner: 1\r\nx-outer: 2\r\n', '{}'));
    const response = await ask();
    expect([response.headers.get('x-inner'), response.headers.get('x-outer')]).toEqual([null, '2']);
  });

  it('its headers of the connection stay on it', async () => {
    await serveBytes(whole('content-length: 2\r\nconnection: close\r\nkeep-alive: timeout=1\r\nproxy-authenticate: x\r\n', '{}'));
    const response = await ask();
    expect(response.headers.get('proxy-authenticate')).toBeNull();
    expect(await response.text()).toBe('{}');
  });
});

describe('an answer before its question is whole', () => {
  it.each([false, true])('passes (the connection goes on: %s)', async (keep) => {
    const refusal = '{"error":{"message":"too large"}}';
    const answer = `HTTP/1.1 413 Too Large\r\ncontent-type: application/json\r\ncontent-length: ${refusal.length}\r\n\r\n${refusal}`;
    const { createServer } = await import('node:net');
    const server = createServer((socket) => {
      socket.on('error', () => undefined);
      socket.once('data', () => {
        socket.pause();
        if (keep) socket.write(answer);
        else socket.end(answer);
      });
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    gateway.serve(routedReplica({ replicaId: 'r1', endpoint: `http://127.0.0.1:${(server.address() as { port: number }).port}` }));
    const response = await gateway.beside(() => complete(gateway, { prompt: 'x'.repeat(8e6) }));
    expect([response.status, await response.text()]).toEqual([413, refusal]);
    server.close();
  });
});

describe('a connection that ends as it is used again', () => {
  it('costs nobody a request: nothing of it was answered, and it is sent again', async () => {
    let closed = 0;
    engine = await startRawEngine((socket, nth) => {
      // Every second request meets the end of its connection.
      if (nth % 2 === 0) {
        closed += 1;
        socket.destroy();
      } else socket.write(whole('content-length: 2\r\n', '{}'));
    });
    gateway.serve(routedReplica({ replicaId: 'r1', endpoint: engine.url }));
    for (let i = 0; i < 5; i++) expect(await (await ask()).text()).toBe('{}');
    expect(closed).toBeGreaterThan(0);
    expect(engine.requests).toHaveLength(5 + closed);
  });

  it('and one that has begun to answer is not sent again', async () => {
    const { requests } = await serveBytes(events('transfer-encoding: chunked\r\n', chunk(token('a'))));
    const text = await gateway.beside(async () => (await complete(gateway, { stream: true })).text());
    expect(text).toContain('"engine_failed"');
    expect(requests).toHaveLength(1);
  });
});
