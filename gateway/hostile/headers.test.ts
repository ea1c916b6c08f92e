/** Headers: too large, too many, and such as would break a line of an answer, of a request to an engine, of metrics. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type BesiegedGateway, errorOf, exchangeRaw, openAt, rawCompletion, startBesieged } from '../../test/support/hostile.ts';
import { whole } from '../../test/support/upstream.ts';

let gateway: BesiegedGateway;
beforeAll(async () => {
  gateway = await startBesieged();
  gateway.engine.answer = whole;
});
afterAll(() => gateway.close());

const BODY = '{"model":"chat","prompt":"x"}';
const close = 'connection: close\r\n';
const raw = (head: string, body = BODY) => gateway.beside(() => exchangeRaw(gateway, rawCompletion(body, head + close)));
const ask = (headers: Record<string, string>) =>
  gateway.beside(() => fetch(`${gateway.url}/v1/completions`, { method: 'POST', body: BODY, headers }));

describe('headers that are too much', () => {
  it.each([
    ['one of 40 KB', `x: ${'a'.repeat(40_000)}\r\n`],
    ['40 of 1 KB', `x: ${'a'.repeat(1000)}\r\n`.repeat(40)],
    ['a name of 40 KB', `${'a'.repeat(40_000)}: x\r\n`],
    ['a thousand small ones, of which none may be dropped unsaid', Array.from({ length: 1000 }, (_, i) => `x${i}: y\r\n`).join('')],
    ['a thousand times the same', 'x: y\r\n'.repeat(1000)],
  ])('%s: 431', async (_, head) => {
    expect(await raw(head)).toMatch(/^HTTP\/1\.1 431 [\s\S]*"code":"headers_too_large"/);
  });

  it('a path of 40 KB too', async () => {
    expect(await exchangeRaw(gateway, `GET /${'a'.repeat(40_000)} HTTP/1.1\r\nhost: localhost\r\n\r\n`)).toMatch(/^HTTP\/1\.1 431 /);
  });
});

describe('headers that are none', () => {
  it.each([
    ['a NUL', 'x: a\0b\r\n'],
    ['a carriage return alone', 'x: a\rb\r\n'],
    ['a control character', 'x: a\x01b\r\n'],
    ['a blank before the colon', 'x : a\r\n'],
    ['no name', ': a\r\n'],
    ['no colon', 'hello\r\n'],
    ['a line that goes on in the next', 'x: a\r\n b: c\r\n\r\n'],
  ])('%s: 400, or what it says counts for nothing', async (_, head) => {
    const before = gateway.engine.received.length;
    const answer = await raw(head);
    if (answer.startsWith('HTTP/1.1 400 ')) expect(answer).toContain('"malformed_request"');
    for (const { headers } of gateway.engine.received.slice(before)) expect(headers).not.toHaveProperty('b');
  });
});

describe('a request id that would break a line', () => {
  it.each([
    ['a blank', 'a b'],
    ['a tab', 'a\tb'],
    ['letters beyond ASCII', 'caf\u00e9'],
    ['nothing', ''],
  ])('%s: the gateway makes its own', async (_, id) => {
    const response = await ask({ 'x-request-id': id });
    await response.text();
    expect(response.headers.get('x-request-id')).toMatch(/^req-/);
    expect(gateway.engine.received.at(-1)!.headers['x-request-id']).toBe(response.headers.get('x-request-id'));
  });

  it('comes twice: the gateway makes its own', async () => {
    expect(await raw('x-request-id: a\r\nx-request-id: b\r\n')).toMatch(/x-request-id: req-/i);
  });

  it('is long: it is cut', async () => {
    const response = await ask({ 'x-request-id': 'a'.repeat(5000) });
    expect(response.headers.get('x-request-id')).toBe('a'.repeat(128));
    await response.text();
  });
});

describe('names in headers', () => {
  it.each(['__proto__', 'a b', 'a"b', 'a\\b', 'A', '*', 'a'.repeat(64), '', 'a,b', '{x="y"}'])(
    '%j is no class and no tenant',
    async (name) => {
      for (const header of ['x-slo-class', 'x-tenant-id', 'x-llm-d-inference-objective']) {
        const response = await ask({ [header]: name });
        expect(response.status).toBe(400);
        expect(await errorOf(response)).toMatchObject({ code: 'invalid_value', param: header });
      }
    },
  );

  it.each(['constructor', 'prototype', 'tostring'])('%s is one like any other', async (name) => {
    const response = await ask({ 'x-slo-class': name, 'x-tenant-id': name });
    expect(response.status).toBe(200);
    await response.text();
    expect(await (await fetch(`${gateway.url}/metrics`)).text()).toContain(
      `uellm_requests_total{deployment="chat",class="${name}",outcome="ok"} 1`,
    );
  });

  it.each(['-1', '0', 'NaN', 'Infinity', '1e9', '0x10', '', '1,2', '99999999999', ' '])('%j is no target', async (value) => {
    const response = await ask({ 'x-slo-ttft-ms': value });
    expect(response.status).toBe(400);
    expect(await errorOf(response)).toMatchObject({ param: 'x-slo-ttft-ms' });
  });

  it.each(['__proto__', 'constructor'])('a header called %s is a header', async (name) => {
    expect(await raw(`${name}: x\r\n`)).toMatch(/^HTTP\/1\.1 200 /);
  });

  it('of the connection stay on it', async () => {
    expect(await raw('connection: x-mine\r\nx-mine: secret\r\nkeep-alive: 5\r\nte: trailers\r\nupgrade: h2c\r\n')).toMatch(
      /^HTTP\/1\.1 200 /,
    );
    const { headers } = gateway.engine.received.at(-1)!;
    for (const name of ['x-mine', 'te', 'upgrade', 'keep-alive']) expect(headers).not.toHaveProperty(name);
  });
});

describe('thousands of classes and tenants', () => {
  it('take a bounded number of labels and a bounded part of memory', async () => {
    const gc = (globalThis as { gc?: () => void }).gc;
    const send = async (from: number, to: number) => {
      for (let at = from; at < to; at += 50) {
        const some = Array.from({ length: 50 }, (_, i) => `c${at + i}`);
        await Promise.all(
          some.map(async (name) => {
            const headers = { 'x-slo-class': name, 'x-tenant-id': name, 'x-request-id': name };
            await (await fetch(`${gateway.url}/v1/completions`, { method: 'POST', body: BODY, headers })).text();
          }),
        );
      }
    };
    const heap = () => {
      gateway.engine.received.length = 0;
      gc?.();
      return process.memoryUsage().heapUsed;
    };
    await gateway.beside(async () => {
      await send(0, 1100);
      const before = heap();
      const size = (await (await fetch(`${gateway.url}/metrics`)).text()).length;
      await send(1100, 2200);
      expect((await (await fetch(`${gateway.url}/metrics`)).text()).length).toBeLessThan(1.1 * size);
      if (gc) expect(heap() - before).toBeLessThan(8e6);
    });
    const text = await (await fetch(`${gateway.url}/metrics`)).text();
    expect(new Set(text.match(/class="[^"]*"/g)).size).toBeLessThanOrEqual(1001);
    expect(text).toContain('class="other"');
    expect(await openAt(gateway)).toBe(0);
  }, 60_000);
});

it('a type of the body that is not its own is put right: engines go by it', async () => {
  const before = gateway.engine.received.length;
  expect((await ask({ 'content-type': 'application/x-www-form-urlencoded' })).status).toBe(200);
  expect(gateway.engine.received.at(before)?.headers['content-type']).toBe('application/json');
});
