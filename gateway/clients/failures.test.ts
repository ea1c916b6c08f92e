import { createServer, type Server, type Socket } from 'node:net';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import {
  complete,
  type ErrorBody,
  type RoutedGateway,
  routedReplica,
  sloPolicy,
  startRoutedGateway,
  until,
} from '../../test/support/gateway.ts';
import { DONE, startUpstream, streamed, type TestUpstream, token, whole } from '../../test/support/upstream.ts';

let gateway: RoutedGateway;
let engine: TestUpstream;
beforeEach(async () => {
  engine = await startUpstream();
  gateway = await startRoutedGateway({ upstreamIdleMs: 1500 });
});
afterEach(async () => {
  await gateway.close();
  await engine.close();
});

const refusing = async () => {
  const gone = await startUpstream();
  await gone.close();
  return gone.url;
};

/** A server that takes connections and does what it is told with them. */
async function rawServer(onRequest: (socket: Socket) => void): Promise<{ url: string; server: Server; requests: () => number }> {
  let requests = 0;
  const server = createServer((socket) => {
    socket.on('error', () => undefined);
    socket.on('data', (data) => {
      if (data.toString('latin1').startsWith('GET /metrics')) {
        socket.end('HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n');
        return;
      }
      requests += 1;
      onRequest(socket);
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return { url: `http://127.0.0.1:${(server.address() as { port: number }).port}`, server, requests: () => requests };
}

const two = (first: string, second: string) =>
  gateway.route([
    routedReplica({ replicaId: 'bad', endpoint: first, stepTime: { ...routedReplica({ replicaId: '', endpoint: '' }).stepTime, d0: 1 } }),
    routedReplica({ replicaId: 'good', endpoint: second }),
  ]);

describe('a request that fails before its first token', () => {
  it('goes to another replica when nobody listens, and the replica is left out at once', async () => {
    two(await refusing(), engine.url);
    const response = await complete(gateway, { stream: true });
    expect(await response.text()).toContain('[DONE]');
    expect(response.headers.get('x-uellm-replica')).toBe('good');
    const second = await complete(gateway, { stream: true });
    await second.text();
    expect(await (await fetch(`${gateway.url}/metrics`)).text()).toContain(
      'uellm_upstream_retries_total{deployment="chat",reason="refused"} 1',
    );
  });

  it('survives the loss of a whole host', async () => {
    const gone = await Promise.all(Array.from({ length: 6 }, refusing));
    gateway.route([
      ...gone.map((endpoint, i) => routedReplica({ replicaId: `gone-${i}`, endpoint })),
      routedReplica({ replicaId: 'good', endpoint: engine.url, weight: 1 }),
    ]);
    const responses = await Promise.all(Array.from({ length: 20 }, () => complete(gateway, { stream: true })));
    for (const response of responses) expect(await response.text()).toContain('[DONE]');
  });

  it.each([500, 503, 429])('goes elsewhere on a %d, and gives the answer as it is when there is no elsewhere', async (status) => {
    const bad = await startUpstream((res) =>
      res.writeHead(status, { 'content-type': 'application/json' }).end('{"error":{"message":"draining"}}'),
    );
    two(bad.url, engine.url);
    const response = await complete(gateway, {});
    expect(response.status).toBe(200);
    await response.text();
    gateway.route([routedReplica({ replicaId: 'bad', endpoint: bad.url })]);
    const alone = await complete(gateway, {});
    expect(alone.status).toBe(status);
    expect(await alone.text()).toBe('{"error":{"message":"draining"}}');
    expect(alone.headers.get('retry-after')).toBe(status === 500 ? null : '1');
    expect(bad.received).toHaveLength(2);
    await bad.close();
  });

  it('goes elsewhere when the connection breaks, also after the head of a stream', async () => {
    const silent = await rawServer((socket) => socket.destroy());
    const headOnly = await rawServer((socket) =>
      socket.end('HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n'),
    );
    for (const bad of [silent, headOnly]) {
      two(bad.url, engine.url);
      const response = await complete(gateway, { stream: true });
      expect(await response.text()).toContain('[DONE]');
      expect(bad.requests()).toBe(1);
      bad.server.close();
    }
  });

  it('is given up after three engines have failed it', async () => {
    const bad = await rawServer((socket) => socket.destroy());
    gateway.route([routedReplica({ replicaId: 'bad', endpoint: bad.url })]);
    const response = await complete(gateway, { stream: true });
    expect(response.status).toBe(502);
    expect(((await response.json()) as ErrorBody).error).toMatchObject({ type: 'server_error', code: 'engine_failed' });
    expect(bad.requests()).toBe(3);
    bad.server.close();
  });

  it('fails clearly when an engine answers garbage', async () => {
    const garbage = await rawServer((socket) => socket.end('220 smtp.example ESMTP\r\n'));
    gateway.route([routedReplica({ replicaId: 'bad', endpoint: garbage.url })]);
    expect((await complete(gateway, {})).status).toBe(502);
    garbage.server.close();
  });

  it('is not kept waiting by an engine that never answers', async () => {
    const mute = await rawServer(() => undefined);
    two(mute.url, engine.url);
    expect(await (await complete(gateway, { stream: true })).text()).toContain('[DONE]');
    mute.server.close();
  }, 15_000);
});

describe('a stream that fails after its first token', () => {
  it('ends with an error event and without [DONE], and is not tried again', async () => {
    const other = await startUpstream();
    engine.answer = (res) => {
      res.writeHead(200, { 'content-type': 'text/event-stream' });
      res.write(`${token('a')}data: {"half`);
      setTimeout(() => res.destroy(), 50);
    };
    two(engine.url, other.url);
    const text = await (await complete(gateway, { stream: true })).text();
    expect(text.startsWith(token('a'))).toBe(true);
    expect(text).not.toContain('half');
    expect(text).not.toContain('[DONE]');
    expect(JSON.parse(text.slice(token('a').length + 'data: '.length))).toMatchObject({
      error: { type: 'server_error', code: 'engine_failed' },
    });
    expect(other.received).toHaveLength(0);
    await other.close();
  });

  it('ends so too when the engine ends it politely but too early', async () => {
    engine.answer = (res) => {
      res.writeHead(200, { 'content-type': 'text/event-stream' });
      res.end(token('a'));
    };
    gateway.route([routedReplica({ replicaId: 'r', endpoint: engine.url })]);
    const text = await (await complete(gateway, { stream: true })).text();
    expect(text).toContain('"engine_failed"');
    expect(text).not.toContain('[DONE]');
  });

  it('ends so when the engine falls silent', async () => {
    engine.answer = (res) => {
      res.writeHead(200, { 'content-type': 'text/event-stream' });
      res.write(token('a'));
    };
    gateway.route([routedReplica({ replicaId: 'r', endpoint: engine.url })]);
    expect(await (await complete(gateway, { stream: true })).text()).toContain('"engine_failed"');
  }, 15_000);

  it('cuts off a whole answer that breaks', async () => {
    engine.answer = (res) => {
      res.writeHead(200, { 'content-type': 'application/json', 'content-length': 1000 });
      res.write('{"id":');
      setTimeout(() => res.destroy(), 50);
    };
    gateway.route([routedReplica({ replicaId: 'r', endpoint: engine.url })]);
    await expect(complete(gateway, {}).then((r) => r.text())).rejects.toThrow();
  });
});

describe('health', () => {
  it('ejects a replica whose metrics fail twice, and takes it back when they answer', async () => {
    const sick = await startUpstream(whole);
    two(sick.url, engine.url);
    sick.metrics.status = 500;
    const healthy = async () =>
      ((await (await fetch(`${gateway.url}/uellm/stats`)).json()) as { replicas: { id: string; healthy: boolean }[] }).replicas.find(
        (r) => r.id === 'bad',
      )?.healthy;
    await until(async () => (await healthy()) === false, 3000);
    for (let i = 0; i < 5; i++) await (await complete(gateway, {})).text();
    expect(sick.received).toHaveLength(0);
    sick.metrics.status = 200;
    await until(async () => (await healthy()) === true, 3000);
    await sick.close();
  });

  it('keeps a replica that has no metrics, and one that streams while its metrics are late', async () => {
    engine.metrics = { status: 404, text: '' };
    const busy = await startUpstream(streamed(Array(200).fill('x'), 20));
    busy.metrics.status = 0;
    // By turns and weights: `uellm` would stay with the one that it has seen answer quickly.
    await gateway.close();
    gateway = await startRoutedGateway({ policy: 'least-in-flight' });
    gateway.route([
      routedReplica({ replicaId: 'plain', endpoint: engine.url }),
      routedReplica({ replicaId: 'busy', endpoint: busy.url, weight: 1000 }),
    ]);
    const stream = await complete(gateway, { stream: true });
    expect(stream.headers.get('x-uellm-replica')).toBe('plain');
    const second = await Promise.all(Array.from({ length: 4 }, () => complete(gateway, { stream: true })));
    expect(second.some((r) => r.headers.get('x-uellm-replica') === 'busy')).toBe(true);
    await new Promise((resolve) => setTimeout(resolve, 1500));
    const { replicas } = (await (await fetch(`${gateway.url}/uellm/stats`)).json()) as { replicas: { healthy: boolean }[] };
    expect(replicas.every((r) => r.healthy)).toBe(true);
    await Promise.all([stream, ...second].map((r) => r.body?.cancel()));
    await busy.close();
  });

  it('holds requests while no replica is well, and serves them as soon as one is', async () => {
    const { url } = engine;
    const port = Number(new URL(url).port);
    await engine.close();
    gateway.route([routedReplica({ replicaId: 'r', endpoint: url })], [sloPolicy()]);
    const held = complete(gateway, { stream: true });
    await new Promise((resolve) => setTimeout(resolve, 700));
    engine = await startUpstream(streamed(['late']), port);
    expect(await (await held).text()).toBe(token('late') + DONE);
  });
});
