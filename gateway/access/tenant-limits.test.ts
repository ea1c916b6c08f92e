import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { Tenant } from '../../core/domain/tenant.ts';
import { complete, type ErrorBody, type RoutedGateway, routedReplica, startRoutedGateway, until } from '../../test/support/gateway.ts';
import { type Answer, startUpstream, streamed, type TestUpstream, whole } from '../../test/support/upstream.ts';
import { duration } from './tenant-budgets.ts';

let gateway: RoutedGateway;
let engine: TestUpstream;
let held: (() => void)[];

const hold: Answer = (res, request) => {
  held.push(() => streamed(['x'])(res, request));
};

beforeEach(async () => {
  held = [];
  engine = await startUpstream(whole);
  gateway = await startRoutedGateway();
});
afterEach(async () => {
  await gateway.close();
  await engine.close();
});

const route = (limits: Tenant['limits'], replica: object = {}) =>
  gateway.route(
    [routedReplica({ replicaId: 'r', endpoint: engine.url, ...replica })],
    [],
    [],
    [{ name: 'acme', features: 'full', ...(limits ? { limits } : {}) }],
  );
const ask = (tenant = 'acme', body: object = {}, init: Parameters<typeof complete>[2] = {}) =>
  complete(gateway, { max_tokens: 10, ...body }, { ...init, headers: { 'x-tenant-id': tenant } });
const rateLimits = (response: Response) => Object.fromEntries([...response.headers].filter(([name]) => name.startsWith('x-ratelimit-')));
const errorOf = async (response: Response) => ((await response.json()) as ErrorBody).error;
const metrics = async () => (await fetch(`${gateway.url}/metrics`)).text();

describe('limits of a tenant', () => {
  it('are told with every answer as OpenAI does, and bind that tenant alone', async () => {
    route({ requestsPerMinute: 2, tokensPerMinute: 60 });
    const first = await ask();
    expect(first.status).toBe(200);
    expect(rateLimits(first)).toMatchObject({
      'x-ratelimit-limit-requests': '2',
      'x-ratelimit-remaining-requests': '1',
      'x-ratelimit-reset-requests': expect.stringMatching(/^(30|2\d(\.\d+)?)s$/),
      'x-ratelimit-limit-tokens': '60',
      'x-ratelimit-remaining-tokens': expect.stringMatching(/^[45]\d$/),
      'x-ratelimit-reset-tokens': expect.stringMatching(/^\d+(\.\d+)?m?s$/),
    });
    await ask();
    const refused = await ask();
    expect(refused.status).toBe(429);
    expect(refused.headers.get('x-llm-d-request-dropped-reason')).toBe('requests-per-minute');
    expect(Number(refused.headers.get('retry-after'))).toBe(Math.ceil(Number(refused.headers.get('retry-after-ms')) / 1000));
    expect(rateLimits(refused)['x-ratelimit-remaining-requests']).toBe('0');
    expect(await errorOf(refused)).toEqual({
      type: 'requests',
      code: 'rate_limit_exceeded',
      param: null,
      message: expect.stringMatching(
        /^Rate limit reached for tenant 'acme' on requests per minute: limit 2, used 2, requested 1\. There is room in \d+(\.\d+)? s\.$/,
      ),
    });
    const other = await ask('globex');
    expect([other.status, rateLimits(other)]).toEqual([200, {}]);
    const text = await metrics();
    expect(text).toContain('uellm_tenant_rate_limited_total{tenant="acme",limit="requestsPerMinute"} 1');
    expect(text).toContain('uellm_tenant_requests_total{tenant="acme"} 2');
    expect(text).toContain('uellm_tenant_tokens_total{tenant="acme"} 12');
    expect(text).not.toContain('tenant="globex"');
  });

  it('count tokens by what the engine says in the end', async () => {
    route({ tokensPerDay: 1000 });
    // 6 tokens, where up to 500 were set aside.
    for (let i = 0; i < 3; i++) await (await ask('acme', { max_tokens: 500 })).text();
    const now = await ask('acme', { max_tokens: 1 });
    expect(rateLimits(now)['x-ratelimit-limit-tokens']).toBe('1000');
    await now.text();
    expect(await metrics()).toContain('uellm_tenant_tokens_today{tenant="acme"} 24');
  });

  it('give back what was set aside, however a request ends', async () => {
    route({ requestsInFlight: 1, tokensPerMinute: 10_000 });
    engine.answer = hold;
    const inFlight = async () => /uellm_tenant_requests_in_flight\{tenant="acme"\} (\d+)/.exec(await metrics())?.[1];
    const refused = async () => {
      const response = await ask();
      expect([response.status, response.headers.get('x-llm-d-request-dropped-reason')]).toEqual([429, 'requests-in-flight']);
      expect(response.headers.get('retry-after')).toBe('1');
    };
    // The client goes away.
    const abort = new AbortController();
    const leaving = ask('acme', { stream: true }, { signal: abort.signal }).catch(() => undefined);
    await until(() => held.length === 1);
    await refused();
    abort.abort();
    await leaving;
    await until(async () => (await inFlight()) === '0');
    // The engine refuses it, breaks down, or answers.
    const answers: [Answer, number][] = [
      [(res) => res.writeHead(400, { 'content-type': 'application/json' }).end('{}'), 400],
      [(res) => res.destroy(), 502],
      [whole, 200],
    ];
    for (const [answer, status] of answers) {
      engine.answer = answer;
      const response = await ask();
      expect(response.status).toBe(status);
      await response.text();
      await until(async () => (await inFlight()) === '0');
    }
    // It is not even a request, or asks for what is not here.
    for (const body of [{ model: 'nothing' }, { max_tokens: 'many' }]) expect((await ask('acme', body)).status).toBeLessThan(429);
    expect(await inFlight()).toBe('0');
    const spent = Number(/uellm_tenant_tokens_total\{tenant="acme"\} (\d+)/.exec(await metrics())?.[1]);
    expect(spent).toBeLessThan(40);
  });

  it('never have room for a prompt longer than they are', async () => {
    route({ tokensPerMinute: 50 });
    const response = await ask('acme', { prompt: 'word '.repeat(500) });
    expect([response.status, response.headers.get('retry-after'), response.headers.get('x-should-retry')]).toEqual([429, null, 'false']);
    expect(await errorOf(response)).toMatchObject({
      type: 'tokens',
      message: expect.stringContaining('It never has room for this request.'),
    });
  });

  it('change with the table: others, or none', async () => {
    route({ requestsPerMinute: 1 });
    expect((await ask()).status).toBe(200);
    expect((await ask()).status).toBe(429);
    route(undefined);
    expect((await ask()).status).toBe(200);
    route({ requestsPerMinute: 1 });
    expect((await ask()).status).toBe(200);
    expect((await ask()).status).toBe(429);
    route({ requestsPerMinute: 1, requestsInFlight: 5 });
    expect((await ask()).status).toBe(429);
  });
});

it.each([
  [0, '0ms'],
  [11.2, '12ms'],
  [7_655, '7.66s'],
  [30_000, '30s'],
  [360_000, '6m0s'],
  [43_170_000, '11h59m30s'],
])('%d ms are written %s', (ms, text) => {
  expect(duration(ms)).toBe(text);
});
