import { createServer, type Server } from 'node:net';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { complete, type RoutedGateway, routedReplica, sloPolicy, startRoutedGateway, until } from '../../test/support/gateway.ts';
import { type Answer, DONE, startUpstream, streamed, type TestUpstream, token } from '../../test/support/upstream.ts';
import { KeepAlive, lateErrorEvent } from './keep-alive.ts';

const COMMENT = ': keep-alive\n\n';

describe('the turns of comments', () => {
  const waiter = (name: string, log: string[], times = 99) => {
    let left = times;
    return { stayAlive: () => (left-- > 0 ? log.push(name) > 0 : false) };
  };

  it('come when they are due, in the order of arrival, until there is no need', () => {
    const log: string[] = [];
    const keepAlive = new KeepAlive(1000);
    const [a, b] = [waiter('a', log, 2), waiter('b', log)];
    keepAlive.add(a, 0);
    keepAlive.add(b, 300);
    const at = (nowMs: number) => {
      keepAlive.beat(nowMs);
      return log.splice(0).join('');
    };
    expect([at(999), at(1000), at(1300), at(1900), at(2000), at(2300), at(3300), at(4300)]).toEqual(['', 'a', 'b', '', 'a', 'b', 'b', 'b']);
    keepAlive.delete(b);
    expect(at(9000)).toBe('');
  });

  it('turn what came late into an error event', () => {
    const given = '{"error":{"message":"no","code":400}}';
    expect(lateErrorEvent(400, Buffer.from(given))).toBe(`data: ${given}\n\n`);
    for (const body of ['', '{"half', '[1]', 'null', '{"choices":[]}']) {
      const { error } = JSON.parse(lateErrorEvent(500, Buffer.from(body)).slice('data: '.length));
      expect(error).toMatchObject({ code: 'engine_failed', message: expect.stringContaining('500') });
    }
  });
});

describe('a stream that waits long', () => {
  let gateway: RoutedGateway;
  let engine: TestUpstream;
  let answerNow: () => void;
  /** Once the engine has been asked so many times. */
  const release = async (times = 1) => {
    await until(() => engine.received.length === times);
    answerNow();
  };
  let answer: Answer;
  /** Answers when the test says so. */
  const held: Answer = async (res, request) => {
    await new Promise<void>((resolve) => {
      answerNow = resolve;
    });
    await answer(res, request);
  };
  const sockets: Server[] = [];

  beforeEach(async () => {
    answer = streamed(['late']);
    engine = await startUpstream(held);
    gateway = await startRoutedGateway({ keepAliveMs: 100, upstreamIdleMs: 5000 });
    gateway.route([routedReplica({ replicaId: 'r1', endpoint: engine.url, simulated: true })], [sloPolicy()]);
  });
  afterEach(async () => {
    await gateway.close();
    await engine.close();
    for (const server of sockets.splice(0)) server.close();
  });

  it('has its head and comments meanwhile, then its answer, and says what the head could not', async () => {
    const response = await complete(gateway, { stream: true });
    expect(response.status).toBe(200);
    expect(response.headers.get('content-type')).toBe('text/event-stream; charset=utf-8');
    expect(response.headers.get('x-uellm-simulated')).toBe('true');
    await release();
    const text = await response.text();
    expect(text.startsWith(COMMENT)).toBe(true);
    expect(text).toContain('\n: x-uellm-replica: r1\n');
    expect(text.endsWith(token('late') + DONE)).toBe(true);
  });

  it('waits in the queue alike, and is still sent to another replica when one fails it', async () => {
    gateway.route([routedReplica({ replicaId: 'r1', endpoint: engine.url, maxInFlight: 1 })], [sloPolicy()]);
    const first = complete(gateway, { stream: true });
    await until(() => engine.received.length === 1);
    const second = await complete(gateway, { stream: true });
    expect([second.status, second.headers.get('x-uellm-replica')]).toEqual([200, null]);
    let broken = 0;
    const breaking = createServer((socket) => {
      socket.on('error', () => undefined);
      socket.on('data', (data) => {
        if (data.includes('GET /metrics')) return socket.end('HTTP/1.1 404 Not Found\r\ncontent-length: 0\r\n\r\n');
        broken += 1;
        return socket.destroy();
      });
    });
    sockets.push(breaking);
    await new Promise<void>((resolve) => breaking.listen(0, '127.0.0.1', resolve));
    const { port } = breaking.address() as { port: number };
    gateway.route([
      routedReplica({ replicaId: 'r1', endpoint: engine.url, maxInFlight: 1 }),
      routedReplica({ replicaId: 'breaks', endpoint: `http://127.0.0.1:${port}` }),
    ]);
    await until(() => broken > 0);
    await release();
    expect(await (await first).text()).toContain(DONE);
    await release(2);
    const text = await second.text();
    expect(text).toContain('\n: x-uellm-replica: r1\n');
    expect(text.endsWith(token('late') + DONE)).toBe(true);
  });

  it("ends with the engine's own refusal as an event", async () => {
    answer = (res) => res.writeHead(400, { 'content-type': 'application/json' }).end('{"error":{"message":"too long","code":400}}');
    const response = await complete(gateway, { stream: true });
    await release();
    expect(await response.text()).toMatch(/data: \{"error":\{"message":"too long","code":400\}\}\n\n$/);
  });

  it('ends with an error event when it is shed or its engine fails, without [DONE]', async () => {
    gateway.route(
      [routedReplica({ replicaId: 'r1', endpoint: engine.url, maxInFlight: 1 })],
      [sloPolicy({ queue: { maxWaitMs: 400, onHopeless: 'shed' } })],
    );
    const first = await complete(gateway, { stream: true });
    const second = await complete(gateway, { stream: true });
    const text = await second.text();
    expect(text).toContain('"code":"shed"');
    expect(text).not.toContain('[DONE]');
    answer = (res) => res.destroy();
    const failing = first.text();
    // Three engines may fail it: this one, three times.
    for (let i = 1; i <= 3; i++) await release(i);
    expect(await failing).toContain('"code":"engine_failed"');
  });

  it('frees its engine when the client leaves meanwhile', async () => {
    const leave = new AbortController();
    await complete(gateway, { stream: true }, { signal: leave.signal });
    await until(() => engine.received.length === 1);
    leave.abort();
    await until(() => engine.received[0]!.aborted);
  });

  it('gets nothing before its answer where that is off, nor does a request for a whole answer', async () => {
    const quiet = await startRoutedGateway({ keepAliveMs: 0 });
    quiet.route([routedReplica({ replicaId: 'r1', endpoint: engine.url })]);
    const responses = [complete(quiet, { stream: true }), complete(gateway, {})];
    await until(() => engine.received.length === 2);
    await new Promise((resolve) => setTimeout(resolve, 300));
    await Promise.all([quiet.close(), gateway.close()]);
    for (const response of responses) expect((await response).status).toBe(503);
  });
});
