/** Requests whose end two parsers might see in different places, and forms of requests that are rare but allowed. */
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { until } from '../../test/support/gateway.ts';
import { type BesiegedGateway, exchangeRaw, rawClient, rawCompletion, startBesieged } from '../../test/support/hostile.ts';
import { DONE, token, whole } from '../../test/support/upstream.ts';

let gateway: BesiegedGateway;
beforeAll(async () => {
  gateway = await startBesieged();
});
beforeEach(() => {
  gateway.engine.answer = whole;
});
afterAll(() => gateway.close());

const BODY = '{"model":"chat","prompt":"x"}';
const send = (bytes: string) => gateway.beside(() => exchangeRaw(gateway, bytes));
const POST = 'POST /v1/completions HTTP/1.1\r\nhost: localhost\r\n';
const chunked = (body: string) => `${body.length.toString(16)}\r\n${body}\r\n0\r\n\r\n`;
const answers = (text: string) => text.match(/HTTP\/1\.1 \d\d\d/g) ?? [];
const SMUGGLED = 'GET /uellm/stats HTTP/1.1\r\nhost: localhost\r\n\r\n';

describe('a request with two ends is refused, and nothing behind it is read as another', () => {
  it.each([
    ['a length and chunks', `${POST}content-length: ${BODY.length}\r\ntransfer-encoding: chunked\r\n\r\n${chunked(BODY)}${SMUGGLED}`],
    ['chunks and a length', `${POST}transfer-encoding: chunked\r\ncontent-length: 4\r\n\r\n${chunked(BODY)}${SMUGGLED}`],
    ['two lengths', `${POST}content-length: ${BODY.length}\r\ncontent-length: 1\r\n\r\n${BODY}${SMUGGLED}`],
    ['two lengths in one', `${POST}content-length: ${BODY.length}, ${BODY.length}\r\n\r\n${BODY}${SMUGGLED}`],
    ['a length that is none', `${POST}content-length: +${BODY.length}\r\n\r\n${BODY}${SMUGGLED}`],
    ['a length below 0', `${POST}content-length: -1\r\n\r\n${BODY}${SMUGGLED}`],
    ['a length beyond all numbers', `${POST}content-length: 99999999999999999999999\r\n\r\n${BODY}${SMUGGLED}`],
    ['a coding after chunked', `${POST}transfer-encoding: chunked, identity\r\n\r\n${chunked(BODY)}${SMUGGLED}`],
    ['a coding that is none', `${POST}transfer-encoding: xchunked\r\n\r\n${chunked(BODY)}${SMUGGLED}`],
    ['a chunk without a size', `${POST}transfer-encoding: chunked\r\n\r\nhello\r\n${BODY}\r\n0\r\n\r\n${SMUGGLED}`],
    ['a size below 0', `${POST}transfer-encoding: chunked\r\n\r\n-5\r\n${BODY}\r\n0\r\n\r\n${SMUGGLED}`],
    ['a size beyond all numbers', `${POST}transfer-encoding: chunked\r\n\r\n${'f'.repeat(40)}\r\n${BODY}\r\n0\r\n\r\n${SMUGGLED}`],
    ['a chunk that is longer than its size', `${POST}transfer-encoding: chunked\r\n\r\n3\r\n${BODY}\r\n0\r\n\r\n${SMUGGLED}`],
    ['a blank before the colon', `${POST}transfer-encoding : chunked\r\n\r\n${chunked(BODY)}${SMUGGLED}`],
  ])('%s', async (_, bytes) => {
    const before = gateway.engine.received.length;
    const answer = await send(bytes);
    expect(answers(answer)).toEqual(['HTTP/1.1 400']);
    expect(answer).toContain('"malformed_request"');
    expect(gateway.engine.received).toHaveLength(before);
  });

  it('and one without any has no body', async () => {
    const answer = await send(`${POST}connection: close\r\n\r\n`);
    expect(answer).toMatch(/^HTTP\/1\.1 400 [\s\S]*"malformed_json"/);
  });
});

describe('what is rare but allowed is served', () => {
  it('a body in chunks of one byte, with extensions and trailers', async () => {
    const chunks = [...BODY].map((c) => `1;a=b\r\n${c}\r\n`).join('');
    const answer = await send(`${POST}connection: close\r\ntransfer-encoding: chunked\r\n\r\n${chunks}0\r\nx-trailer: x\r\n\r\n`);
    expect(answer).toMatch(/^HTTP\/1\.1 200 /);
    expect(gateway.engine.received.at(-1)!.text).toBe(BODY);
    expect(gateway.engine.received.at(-1)!.headers).not.toHaveProperty('x-trailer');
  });

  it('Expect: 100-continue', async () => {
    const client = rawClient(gateway, `${POST}connection: close\r\nexpect: 100-continue\r\ncontent-length: ${BODY.length}\r\n\r\n`);
    await until(() => client.text().startsWith('HTTP/1.1 100 Continue\r\n\r\n'));
    client.socket.write(BODY);
    expect(await client.ended).toMatch(/^HTTP\/1\.1 100 Continue\r\n\r\nHTTP\/1\.1 200 /);
    expect(gateway.engine.received.at(-1)!.headers).not.toHaveProperty('expect');
  });

  it('any other expectation is refused', async () => {
    expect(await send(`${POST}connection: close\r\nexpect: wonders\r\ncontent-length: ${BODY.length}\r\n\r\n${BODY}`)).toMatch(
      /^HTTP\/1\.1 417 [\s\S]*"expectation_failed"/,
    );
  });

  it('HTTP/1.0, without chunks, to the end of the connection', async () => {
    gateway.engine.answer = (res) => {
      res.writeHead(200, { 'content-type': 'text/event-stream' });
      res.end(token('a') + DONE);
    };
    const body = '{"model":"chat","prompt":"x","stream":true}';
    const answer = await send(`POST /v1/completions HTTP/1.0\r\nhost: localhost\r\ncontent-length: ${body.length}\r\n\r\n${body}`);
    const [head = '', text = ''] = answer.split('\r\n\r\n');
    expect(head).not.toMatch(/transfer-encoding/i);
    expect(`${text}\n\n`).toContain(token('a').trimEnd());
    expect(answer.endsWith(DONE)).toBe(true);
  });

  it('several requests at once on one connection, answered in their order', async () => {
    const one = (id: string, last = '') => rawCompletion(BODY, `x-request-id: ${id}\r\n${last}`);
    const answer = await send(one('first') + one('second') + one('third', 'connection: close\r\n'));
    expect(answers(answer)).toEqual(Array(3).fill('HTTP/1.1 200'));
    expect(answer.match(/x-request-id: \w+/gi)?.map((line) => line.slice(14))).toEqual(['first', 'second', 'third']);
  });

  it('garbage behind a request ends the connection, not the answer that has begun', async () => {
    let goOn = () => {};
    gateway.engine.answer = (res) => {
      res.writeHead(200, { 'content-type': 'text/event-stream' });
      res.write(token('a'));
      goOn = () => res.end(DONE);
    };
    await gateway.beside(async () => {
      const client = rawClient(gateway, rawCompletion('{"model":"chat","prompt":"x","stream":true}'));
      await until(() => client.text().includes('"text":"a"'));
      client.socket.write('garbage\r\n\r\n');
      const answer = await client.ended;
      expect(answers(answer)).toEqual(['HTTP/1.1 200']);
      expect(answer).not.toContain('malformed_request');
      goOn();
    });
  });

  it('without a host is refused in words', async () => {
    const answer = await send(rawCompletion(BODY).replace('host: localhost\r\n', ''));
    expect(answer).toMatch(/^HTTP\/1\.1 400 [\s\S]*"malformed_request"/);
  });

  it.each(['http://localhost', 'https://evil.example', 'HTTP://127.0.0.1:8000'])('a path with its host: %s', async (origin) => {
    const bytes = rawCompletion(BODY, 'connection: close\r\n').replace('/v1', `${origin}/v1`);
    expect(await send(bytes)).toMatch(/^HTTP\/1\.1 200 /);
    expect(gateway.engine.received.at(-1)!.path).toBe('/v1/completions');
  });
});

describe('methods', () => {
  const method = (name: string, path: string) => send(`${name} ${path} HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n`);

  it('HEAD is a GET without its body', async () => {
    for (const path of ['/healthz', '/readyz', '/v1/models', '/metrics']) {
      const [head, body] = (await method('HEAD', path)).split('\r\n\r\n');
      expect(head).toMatch(/^HTTP\/1\.1 200 /);
      expect(body).toBe('');
    }
  });

  it.each(['GET', 'HEAD', 'PUT', 'DELETE', 'PATCH', 'OPTIONS', 'TRACE'])(
    '%s of a completion is refused, with what is allowed',
    async (name) => {
      expect(await method(name, '/v1/completions')).toMatch(/^HTTP\/1\.1 405 [\s\S]*allow: POST/i);
    },
  );

  it('what is no method is no HTTP', async () => {
    for (const name of ['HACK', 'get', 'POST\0']) expect(await method(name, '/healthz')).toMatch(/^HTTP\/1\.1 400 /);
  });

  it('a tunnel is not opened', async () => {
    expect(await send('CONNECT 127.0.0.1:22 HTTP/1.1\r\nhost: localhost\r\n\r\n')).not.toMatch(/^HTTP\/1\.1 2/);
  });

  it('nor a web socket', async () => {
    const upgrade = 'connection: Upgrade\r\nupgrade: websocket\r\nsec-websocket-key: x\r\n';
    expect(
      await send(
        `GET /v1/completions HTTP/1.1\r\nhost: localhost\r\n${upgrade}\r\n${SMUGGLED.replace('\r\n\r\n', '\r\nconnection: close\r\n\r\n')}`,
      ),
    ).toMatch(/^HTTP\/1\.1 405 /);
  });
});

describe('paths mean what they say', () => {
  it.each([
    '//v1/completions',
    '/v1//completions',
    '/v1/completions/',
    '/v1/../metrics',
    '/v1/./completions',
    '/metrics/../v1/completions',
    '/%761/completions',
    '/v1%2fcompletions',
    '/v1/completions%00',
    '/v1/completions;x',
    '/V1/completions',
    '/__proto__',
    '/constructor',
    '*',
  ])('%s is nothing', async (path) => {
    const before = gateway.engine.received.length;
    const bytes = rawCompletion(BODY, 'connection: close\r\n').replace('/v1/completions', path);
    expect(await send(bytes)).toMatch(/^HTTP\/1\.1 (404 [\s\S]*"unknown_url"|400 )/);
    expect(gateway.engine.received).toHaveLength(before);
  });
});
