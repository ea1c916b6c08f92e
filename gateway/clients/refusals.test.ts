import { connect } from 'node:net';
import { pino } from 'pino';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { complete, type ErrorBody, type RoutedGateway, routedReplica, startRoutedGateway, until } from '../../test/support/gateway.ts';
import { DONE, startUpstream, streamed, type TestUpstream, token } from '../../test/support/upstream.ts';
import { gatewayKey } from '../access/auth.ts';
import { startGateway } from '../server.ts';

let gateway: RoutedGateway;
let engine: TestUpstream;
beforeAll(async () => {
  engine = await startUpstream();
  gateway = await startRoutedGateway({ maxBodyBytes: 1024 * 1024 });
  gateway.route([
    routedReplica({ replicaId: 'r1', endpoint: engine.url }),
    routedReplica({ replicaId: 'r2', endpoint: engine.url, deployment: 'sim', simulated: true }),
  ]);
});
afterAll(async () => {
  await gateway.close();
  await engine.close();
});

const post = (path: string, body: string | Uint8Array | ReadableStream, headers: Record<string, string> = {}) =>
  fetch(gateway.url + path, { method: 'POST', body, headers, duplex: 'half' } as RequestInit);
const errorOf = async (response: Response) => ((await response.json()) as ErrorBody).error;

/** Writes bytes and reads all that comes back until the connection ends. */
function raw(url: string, bytes: string): Promise<string> {
  return new Promise((resolve, reject) => {
    const socket = connect(Number(new URL(url).port), '127.0.0.1', () => socket.write(bytes));
    let text = '';
    socket.on('data', (chunk) => {
      text += chunk;
    });
    socket.on('close', () => resolve(text));
    socket.on('error', reject);
  });
}

describe('what the gateway refuses', () => {
  it('a malformed body', async () => {
    const response = await post('/v1/completions', '{"model": ');
    expect(response.status).toBe(400);
    expect(await errorOf(response)).toEqual({
      message: 'the body is not a JSON object: it ends too early',
      type: 'invalid_request_error',
      code: 'malformed_json',
      param: null,
    });
  });

  it('a field of the wrong type, by name', async () => {
    const response = await post('/v1/completions', '{"model":"chat","prompt":7}');
    expect(response.status).toBe(400);
    expect(await errorOf(response)).toMatchObject({ param: 'prompt', message: expect.stringContaining('got 7, allowed is a string') });
  });

  it('a header of the wrong form, by name', async () => {
    const response = await post('/v1/completions', '{"model":"chat","prompt":"x"}', { 'x-llm-d-slo-ttft-ms': 'soon' });
    expect(await errorOf(response)).toMatchObject({ param: 'x-llm-d-slo-ttft-ms' });
  });

  it('a model that is not served, and says which are', async () => {
    const response = await post('/v1/completions', '{"model":"no-such","prompt":"x"}');
    expect(response.status).toBe(404);
    expect(await errorOf(response)).toMatchObject({
      code: 'model_not_found',
      param: 'model',
      message: 'the model "no-such" is not served here; served are chat, llama-3.1-8b, sim',
    });
  });

  it.each([true, false])(
    'a body that is too large (length announced: %s), and answers so that the client can see it',
    async (announced) => {
      const bytes = Buffer.alloc(3 * 1024 * 1024, 0x20);
      const body = announced ? bytes : ReadableStream.from([bytes]);
      const response = await post('/v1/completions', body);
      expect(response.status).toBe(413);
      expect(await errorOf(response)).toMatchObject({ code: 'request_too_large' });
    },
  );

  it('other methods and other paths', async () => {
    const method = await fetch(`${gateway.url}/v1/completions`);
    expect([method.status, method.headers.get('allow')]).toEqual([405, 'POST']);
    const models = await post('/v1/models', '{}');
    expect([models.status, models.headers.get('allow')]).toEqual([405, 'GET']);
    for (const path of ['/', '/v1/responses', '/constructor', '/v1/completions/x']) {
      const response = await post(path, '{}');
      expect(response.status).toBe(404);
      expect((await errorOf(response)).code).toBe('unknown_url');
    }
  });

  it('a foreign Host header, where there is no key', async () => {
    const answer = await raw(gateway.url, 'GET /v1/models HTTP/1.1\r\nhost: evil.example\r\nconnection: close\r\n\r\n');
    expect(answer).toContain('HTTP/1.1 403');
    expect(answer).toContain('foreign_host');
  });

  it('a page of another origin, where there is no key', async () => {
    const ask = (origin: string) => post('/v1/completions', '{"model":"chat","prompt":"x","stream":true}', { origin });
    const foreign = await ask('http://evil.example');
    expect(foreign.status).toBe(403);
    expect(await errorOf(foreign)).toMatchObject({
      type: 'invalid_request_error',
      code: 'foreign_origin',
      message: expect.stringContaining('"http://evil.example"'),
    });
    const own = await ask(gateway.url);
    expect([own.status, await own.text()]).toEqual([200, expect.stringContaining('[DONE]')]);
  });

  it('what is no HTTP, and headers without end', async () => {
    expect(await raw(gateway.url, 'hello\r\n\r\n')).toMatch(/^HTTP\/1\.1 400 .*"malformed_request"/s);
    expect(await raw(gateway.url, `GET / HTTP/1.1\r\nx: ${'a'.repeat(40_000)}\r\n\r\n`)).toMatch(/^HTTP\/1\.1 431 .*"headers_too_large"/s);
  });

  it('and goes on serving after all that', async () => {
    expect(await (await complete(gateway, { stream: true })).text()).toContain('[DONE]');
  });
});

describe('what the gateway tells', () => {
  it('which models it serves, and which of them are simulated', async () => {
    const list = await (await fetch(`${gateway.url}/v1/models`)).json();
    const model = (id: string, simulated: boolean) => ({
      id,
      object: 'model',
      created: expect.any(Number),
      owned_by: 'uellm',
      uellm: { simulated },
    });
    expect(list).toEqual({ object: 'list', data: [model('chat', false), model('llama-3.1-8b', true), model('sim', true)] });
  });

  it('its metrics, by the names of the field', async () => {
    await (await complete(gateway, { stream: true }, { headers: { 'x-slo-class': 'interactive' } })).text();
    const text = await (await fetch(`${gateway.url}/metrics`)).text();
    for (const name of [
      'request_ttft_seconds',
      'request_streaming_tpot_seconds',
      'request_predicted_ttft_seconds',
      'request_predicted_tpot_seconds',
      'request_slo_violation_total',
      'flow_control_queue_size',
      'flow_control_requests_total',
      'scheduler_e2e_duration_seconds',
    ]) {
      expect(text).toContain(`# TYPE uellm_${name} `);
    }
    expect(text).toContain('uellm_request_ttft_seconds_count{deployment="chat",class="interactive"} 1');
    expect(text).toContain('uellm_replica_healthy{deployment="chat",replica="r1"} 1');
  });

  it('whether it lives and is ready: not before the first table, nor while it closes', async () => {
    const fresh = await startRoutedGateway({ drainMs: 1500, closeGraceMs: 5000 });
    const status = async (path: string) => (await fetch(fresh.url + path)).status;
    expect([await status('/healthz'), await status('/readyz')]).toEqual([200, 503]);
    expect((await complete(fresh, {})).status).toBe(503);
    const slow = await startUpstream(streamed(Array(20).fill('x'), 20));
    fresh.route([routedReplica({ replicaId: 'r', endpoint: slow.url })]);
    expect(await status('/readyz')).toBe(200);
    const running = complete(fresh, { stream: true });
    await until(() => slow.received.length === 1);
    const closed = fresh.close();
    expect([await status('/healthz'), await status('/readyz')]).toEqual([200, 503]);
    const last = await complete(fresh, { stream: true });
    expect([last.status, last.headers.get('connection')]).toEqual([200, 'close']);
    expect(await last.text()).toContain('[DONE]');
    expect(await (await running).text()).toContain('[DONE]');
    await closed;
    await expect(fetch(fresh.url)).rejects.toThrow();
    await slow.close();
  });

  it('that it takes no more: by a connection that is refused, or by an answer on one that is kept', async () => {
    const fresh = await startRoutedGateway({ closeGraceMs: 5000 });
    let end = () => {};
    const slow = await startUpstream((res) => {
      res.writeHead(200, { 'content-type': 'text/event-stream' });
      res.write(token('x'));
      end = () => res.end(DONE);
    });
    fresh.route([routedReplica({ replicaId: 'r', endpoint: slow.url })]);
    const { hostname, port } = new URL(fresh.url);
    const socket = connect(Number(port), hostname);
    let heard = '';
    socket.on('data', (chunk) => {
      heard += chunk;
    });
    const body = JSON.stringify({ model: 'chat', prompt: 'x', stream: true });
    const post = `POST /v1/completions HTTP/1.1\r\nhost: localhost\r\ncontent-length: ${body.length}\r\n\r\n${body}`;
    socket.write(post);
    await until(() => heard.includes('"x"'));
    const endFirst = end;
    const other = await complete(fresh, { stream: true });
    const closed = fresh.close();
    await until(() =>
      fetch(`${fresh.url}/healthz`).then(
        () => false,
        () => true,
      ),
    );
    endFirst();
    await until(() => heard.includes('[DONE]'));
    heard = '';
    socket.write(post);
    await until(() => heard.includes('"draining"'));
    expect(heard).toMatch(/^HTTP\/1.1 503 /);
    for (const header of [/^connection: close/im, /^retry-after: 1/im, /^x-llm-d-request-dropped-reason: draining/im])
      expect(heard).toMatch(header);
    end();
    expect(await other.text()).toContain('[DONE]');
    await closed;
    await slow.close();
  });

  it('that it takes no more, on a connection that had no request when it closed', async () => {
    const fresh = await startRoutedGateway({ closeGraceMs: 5000, lingerMs: 2000 });
    fresh.route([routedReplica({ replicaId: 'r', endpoint: engine.url })]);
    const { hostname, port } = new URL(fresh.url);
    const socket = connect(Number(port), hostname);
    const ended = new Promise((resolve, reject) => socket.once('close', resolve).once('error', reject));
    let heard = '';
    socket.on('data', (chunk) => {
      heard += chunk;
    });
    const body = '{"model":"chat","prompt":"x"}';
    const post = `POST /v1/completions HTTP/1.1\r\nhost: localhost\r\ncontent-length: ${body.length}\r\n\r\n${body}`;
    socket.write(post);
    await until(() => heard.startsWith('HTTP/1.1 200 '));
    const closed = fresh.close();
    await expect(fetch(`${fresh.url}/healthz`)).rejects.toThrow();
    heard = '';
    socket.write(post);
    await ended;
    expect(heard).toMatch(/^HTTP\/1.1 503 /);
    expect(heard).toMatch(/^connection: close/im);
    await closed;
  });

  it('ends what is still open when its time to close is over, with an error and without [DONE]', async () => {
    const fresh = await startRoutedGateway({ closeGraceMs: 100 });
    const slow = await startUpstream(streamed(Array(1000).fill('x'), 20));
    fresh.route([routedReplica({ replicaId: 'r', endpoint: slow.url })]);
    const response = await complete(fresh, { stream: true });
    const [text] = await Promise.all([response.text(), fresh.close()]);
    expect(text).toContain('"draining"');
    expect(text).not.toContain('[DONE]');
    await until(() => slow.received[0]!.aborted);
    await slow.close();
  });
});

describe('refusals', () => {
  it('are counted by the code of their error, where no deployment was known yet', async () => {
    const guarded = await startRoutedGateway({ apiKeys: ['admin'] });
    guarded.route([routedReplica({ replicaId: 'r', endpoint: engine.url })]);
    const headers = { authorization: 'Bearer admin' };
    for (const body of ['{"model": ', '{"model":"no-such","prompt":"x"}', '{"model":"chat","prompt":"x"}'])
      await (await fetch(`${guarded.url}/v1/completions`, { method: 'POST', body, headers })).text();
    for (const path of ['/v1/models', '/nowhere']) await (await fetch(guarded.url + path)).text();
    await raw(guarded.url, 'nonsense\r\n\r\n');
    const text = await (await fetch(`${guarded.url}/metrics`)).text();
    const counted = [...text.matchAll(/^uellm_gateway_refused_total\{code="(.*)"\} (.*)$/gm)].map(([, code, count]) => [code, count]);
    expect(Object.fromEntries(counted)).toEqual({
      malformed_json: '1',
      model_not_found: '1',
      invalid_api_key: '2',
      malformed_request: '1',
    });
    await guarded.close();
  });
});

describe('keys', () => {
  it('are needed for everything but probes and metrics, and decide for whom one may ask', async () => {
    const guarded = await startRoutedGateway({ apiKeys: ['admin', gatewayKey('theirs', 'acme')] });
    guarded.route([routedReplica({ replicaId: 'r', endpoint: engine.url })]);
    for (const path of ['/v1/models', '/uellm/stats']) {
      const response = await fetch(guarded.url + path);
      expect([response.status, response.headers.get('www-authenticate')]).toEqual([401, 'Bearer']);
      expect((await errorOf(response)).code).toBe('invalid_api_key');
    }
    for (const path of ['/healthz', '/readyz', '/metrics']) expect((await fetch(guarded.url + path)).status).toBe(200);
    expect((await complete(guarded, {})).status).toBe(401);
    for (const key of ['admin', 'theirs']) {
      const response = await complete(guarded, { stream: true }, { headers: { authorization: `Bearer ${key}`, 'x-tenant-id': 'other' } });
      expect(response.status).toBe(200);
      await response.text();
    }
    await guarded.close();
  });

  it('are needed to listen beyond this machine', async () => {
    const routing = { start: () => undefined, close: async () => undefined };
    const start = startGateway({ source: { kind: 'alone', routing }, address: '0.0.0.0', port: 0, logger: pino({ enabled: false }) });
    await expect(start).rejects.toThrow(/a loopback address, or any with an API key/);
  });
});
