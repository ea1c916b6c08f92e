/** Clients that send slowly, read slowly, or end one side of their connection. */
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { until } from '../../test/support/gateway.ts';
import { type BesiegedGateway, openAt, type RawClient, rawClient, rawCompletion, startBesieged } from '../../test/support/hostile.ts';
import { DONE, streamed, token, whole } from '../../test/support/upstream.ts';

let gateway: BesiegedGateway;
beforeAll(async () => {
  gateway = await startBesieged({ headersWithinMs: 300, requestWithinMs: 600, clientStallMs: 600 });
});
beforeEach(() => {
  gateway.engine.received.length = 0;
});
afterAll(() => gateway.close());

const HEAD = 'POST /v1/completions HTTP/1.1\r\nhost: localhost\r\n';
const STREAM = '{"model":"chat","prompt":"x","stream":true}';

/** Sends a byte now and then, until the connection ends. */
async function drip(client: RawClient, byte: string): Promise<string> {
  const timer = setInterval(() => client.socket.write(byte), 20);
  const text = await client.ended;
  clearInterval(timer);
  return text;
}

describe('a client that sends slowly', () => {
  it.each([
    ['its headers', HEAD, 'x'],
    ['nothing', '', ''],
    ['its body', `${HEAD}content-length: 1000\r\n\r\n{"model":`, ' '],
    ['its chunks', `${HEAD}transfer-encoding: chunked\r\n\r\n`, '1\r\n \r\n'],
  ])('%s gets a 408, or is cut off', async (_, bytes, byte) => {
    const text = await gateway.beside(() => drip(rawClient(gateway, bytes), byte));
    if (bytes !== '') expect(text).toMatch(/^HTTP\/1\.1 408 [\s\S]*"request_timeout"/);
    expect(gateway.engine.received).toHaveLength(0);
  });

  it('a hundred at once hold nobody up', async () => {
    await gateway.beside(async () => {
      const slow = Array.from({ length: 100 }, () => drip(rawClient(gateway, `${HEAD}content-length: 9\r\n\r\n`), ' '));
      await new Promise((resolve) => setTimeout(resolve, 50));
      gateway.engine.answer = whole;
      const answer = await rawClient(gateway, rawCompletion('{"model":"chat","prompt":"x"}', 'connection: close\r\n')).ended;
      expect(answer).toMatch(/^HTTP\/1\.1 200 /);
      await Promise.all(slow);
    });
  });
});

describe('a client that stops reading', () => {
  it('holds a bounded part of memory, and is let go', async () => {
    let poured = 0;
    gateway.engine.answer = (res) => {
      res.writeHead(200, { 'content-type': 'text/event-stream' });
      const event = token('x'.repeat(64 * 1024));
      const pour = () => {
        while (!res.destroyed && poured < 1e9) {
          poured += event.length;
          if (!res.write(event)) break;
        }
        if (!res.destroyed) res.once('drain', pour);
      };
      pour();
    };
    await gateway.beside(async () => {
      const before = process.memoryUsage();
      const clients = Array.from({ length: 20 }, () => {
        const client = rawClient(gateway, rawCompletion(STREAM));
        client.socket.pause();
        return client;
      });
      await until(() => gateway.engine.received.length === 20);
      await new Promise((resolve) => setTimeout(resolve, 300));
      const now = process.memoryUsage();
      // What the kernel holds between the four sockets is not in here; both engines and clients are.
      expect(now.arrayBuffers - before.arrayBuffers).toBeLessThan(20 * 2e6);
      await until(() => gateway.engine.received.every(({ aborted }) => aborted));
      for (const { socket } of clients) socket.destroy();
      await until(async () => (await openAt(gateway)) <= 2);
    });
  });
});

/** The body of a chunked answer. @throws where its framing is broken */
function chunksOf(answer: string): string {
  let rest = answer.slice(answer.indexOf('\r\n\r\n') + 4);
  let body = '';
  for (;;) {
    const [, size] = /^([0-9a-f]+)\r\n/.exec(rest) ?? [];
    if (size === undefined) throw new Error(`no chunk begins with ${JSON.stringify(rest.slice(0, 40))}`);
    const [from, length] = [size.length + 2, Number.parseInt(size, 16)];
    if (length === 0) return body;
    body += rest.slice(from, from + length);
    rest = rest.slice(from + length + 2);
  }
}

describe('a client that ends its side of the connection', () => {
  const halfClosed = (body: string) => {
    const client = rawClient(gateway);
    client.socket.end(rawCompletion(body));
    return client;
  };

  it('before an answer that comes as a whole: still gets it', async () => {
    gateway.engine.answer = (res, request) => setTimeout(() => whole(res, request), 150);
    const answer = await gateway.beside(() => halfClosed('{"model":"chat","prompt":"x"}').ended);
    expect(answer).toMatch(/^(HTTP\/1\.1 102 Processing\r\n\r\n)+HTTP\/1\.1 200 [\s\S]*"text":"hi"/);
  });

  it('before a stream: still gets all of it', async () => {
    gateway.engine.answer = streamed(['a', 'b', 'c'], 50);
    const answer = await gateway.beside(() => halfClosed(STREAM).ended);
    expect(answer).toContain('[DONE]');
    for (const text of ['a', 'b', 'c']) expect(answer).toContain(`"text":"${text}"`);
  });

  it('within a stream: still gets the rest', async () => {
    let goOn = () => {};
    gateway.engine.answer = (res) => {
      res.writeHead(200, { 'content-type': 'text/event-stream' });
      res.write(token('a'));
      goOn = () => res.end(token('b') + DONE);
    };
    const answer = await gateway.beside(async () => {
      const client = rawClient(gateway, rawCompletion(STREAM));
      await until(() => client.text().includes('"text":"a"'));
      client.socket.end();
      await new Promise((resolve) => setTimeout(resolve, 50));
      goOn();
      return client.ended;
    });
    expect(answer).toContain('"text":"b"');
    expect(answer).toContain('[DONE]');
    expect(chunksOf(answer)).toContain(': keep-alive');
  });

  it('and within its request: is cut off', async () => {
    await gateway.beside(async () => {
      const client = rawClient(gateway);
      client.socket.end(`${HEAD}content-length: 1000\r\n\r\n{`);
      expect(await client.ended).not.toMatch(/^HTTP\/1\.1 2/);
    });
  });
});

describe('a client that is gone', () => {
  it('within a stream that is silent: its request ends at the engine', async () => {
    gateway.engine.answer = (res) => {
      res.writeHead(200, { 'content-type': 'text/event-stream' });
      res.write(token('a'));
    };
    await gateway.beside(async () => {
      const client = rawClient(gateway, rawCompletion(STREAM));
      await until(() => client.text().includes('"text":"a"'));
      client.socket.destroy();
      await until(() => gateway.engine.received[0]!.aborted);
    });
  });

  it.each([
    ['that waits for an answer as a whole', '{"model":"chat","prompt":"x"}'],
    ['that waits for a stream', STREAM],
  ])('%s is not kept for half-closed: its request ends at the engine', async (_, body) => {
    gateway.engine.answer = () => undefined;
    await gateway.beside(async () => {
      const client = rawClient(gateway, rawCompletion(body));
      await until(() => gateway.engine.received.length === 1);
      client.socket.destroy();
      await until(() => gateway.engine.received[0]!.aborted);
    });
  });
});
