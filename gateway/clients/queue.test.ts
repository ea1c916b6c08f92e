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
import { type Answer, startUpstream, streamed, type TestUpstream } from '../../test/support/upstream.ts';

let gateway: RoutedGateway;
let engine: TestUpstream;
/** Ends the requests that the engine holds, in their order. */
let held: (() => void)[];

const hold: Answer = (res) => {
  held.push(() => streamed(['x'])(res, { json: {} } as Parameters<Answer>[1]));
};

beforeEach(async () => {
  held = [];
  engine = await startUpstream(hold);
  gateway = await startRoutedGateway({ maxQueued: 3 });
});
afterEach(async () => {
  await gateway.close();
  await engine.close();
});

const replica = (parts: object = {}) => routedReplica({ replicaId: 'r', endpoint: engine.url, maxInFlight: 1, ...parts });
const stream = (name: string, headers: Record<string, string> = {}) => complete(gateway, { stream: true, prompt: name }, { headers });
const arrived = () => engine.received.map((r) => r.json.prompt);
const errorOf = async (response: Response) => ((await response.json()) as ErrorBody).error;

async function queued(count: number) {
  await until(async () => {
    const stats = (await (await fetch(`${gateway.url}/uellm/stats`)).json()) as { deployments: { queued: number }[] };
    return stats.deployments[0]?.queued === count;
  });
}

describe('the queue', () => {
  it('holds what the replicas have no room for, and releases it in order', async () => {
    gateway.route([replica()]);
    const all = [];
    for (const name of ['a', 'b', 'c']) {
      all.push(stream(name));
      await queued(all.length - 1);
    }
    for (let i = 1; i <= 3; i++) {
      await until(() => held.length === i);
      expect(arrived()).toEqual(['a', 'b', 'c'].slice(0, i));
      held[i - 1]!();
    }
    const last = await all[2]!;
    expect(Number(last.headers.get('x-uellm-queue-ms'))).toBeGreaterThan(0);
    for (const response of all) expect((await response).status).toBe(200);
  });

  it('is bounded: 429 with a reason and when to come again', async () => {
    gateway.route([replica()]);
    const waiting = ['a', 'b', 'c', 'd'].map((name) => stream(name));
    await queued(3);
    const response = await stream('e');
    expect(response.status).toBe(429);
    expect(Number(response.headers.get('retry-after'))).toBeGreaterThanOrEqual(1);
    expect(response.headers.get('x-llm-d-request-dropped-reason')).toBe('queue-full');
    expect(await errorOf(response)).toMatchObject({ type: 'rate_limit_error', code: 'queue_full' });
    expect(await (await fetch(`${gateway.url}/metrics`)).text()).toMatch(/uellm_flow_control_queue_size\{deployment="chat"\} 3/);
    for (let i = 0; i < 4; i++) {
      await until(() => held.length > i);
      held[i]!();
    }
    await Promise.all(waiting);
  });

  it('lets a more urgent request take the place of one that may be shed', async () => {
    gateway.route(
      [replica()],
      [
        sloPolicy({ name: 'batch', match: { model: '*', tenant: '*', class: 'batch' }, priority: -10 }),
        sloPolicy({ name: 'urgent', match: { model: '*', tenant: '*', class: 'interactive' }, priority: 100 }),
      ],
    );
    const running = stream('a');
    await until(() => held.length === 1);
    const batch = ['b', 'c', 'd'].map((name) => stream(name, { 'x-slo-class': 'batch' }));
    await queued(3);
    const urgent = stream('urgent', { 'x-slo-class': 'interactive' });
    const displaced = await batch[2]!;
    expect(displaced.status).toBe(429);
    expect(displaced.headers.get('x-llm-d-request-dropped-reason')).toBe('displaced');
    held[0]!();
    await until(() => held.length === 2);
    expect(arrived()).toEqual(['a', 'urgent']);
    for (let i = 1; i < 4; i++) {
      await until(() => held.length > i);
      held[i]!();
    }
    await Promise.all([running, urgent, ...batch]);
  });

  it('passes on at once what is too long for every engine, and neither it nor the others wait', async () => {
    gateway.route([replica({ maxInFlight: 8, kvCacheTokens: 1000 })]);
    const running = stream('a');
    await until(() => held.length === 1);
    engine.answer = (res) => res.writeHead(400, { 'content-type': 'application/json' }).end('{"error":{"code":"context_length_exceeded"}}');
    const refused = await stream('long '.repeat(2000));
    expect([refused.status, await errorOf(refused)]).toEqual([400, { code: 'context_length_exceeded' }]);
    engine.answer = streamed(['x']);
    expect((await stream('b')).status).toBe(200);
    held[0]!();
    await running;
  });

  it('holds what fits an empty engine until it is empty', async () => {
    gateway.route([replica({ maxInFlight: 8, kvCacheTokens: 1000 })]);
    const running = stream('a');
    await until(() => held.length === 1);
    const large = stream('word '.repeat(840));
    await queued(1);
    expect(arrived()).toEqual(['a']);
    held[0]!();
    await until(() => held.length === 2);
    held[1]!();
    for (const response of [running, large]) expect((await response).status).toBe(200);
  });

  it('sheds what has waited as long as its policy allows, where it allows to shed', async () => {
    gateway.route([replica()], [sloPolicy({ queue: { maxWaitMs: 200, onHopeless: 'shed' } })]);
    const running = stream('a');
    await until(() => held.length === 1);
    const response = await stream('b');
    expect(response.status).toBe(429);
    expect(response.headers.get('x-llm-d-request-dropped-reason')).toBe('waited-too-long');
    held[0]!();
    await running;
  });

  it('puts it behind the others where it does not', async () => {
    gateway.route(
      [replica()],
      [
        sloPolicy({ name: 'short', match: { model: '*', tenant: '*', class: 'short' }, queue: { maxWaitMs: 200 } }),
        sloPolicy({ name: 'long', match: { model: '*', tenant: '*', class: 'long' } }),
      ],
    );
    const running = stream('a');
    await until(() => held.length === 1);
    const early = stream('early', { 'x-slo-class': 'short' });
    await queued(1);
    await new Promise((resolve) => setTimeout(resolve, 300));
    const late = stream('late', { 'x-slo-class': 'long' });
    await queued(2);
    held[0]!();
    await until(() => held.length === 2);
    expect(arrived()).toEqual(['a', 'late']);
    held[1]!();
    await until(() => held.length === 3);
    held[2]!();
    await Promise.all([running, early, late]);
  });

  it('answers 503 when no replica has come for as long as the policy lets it wait', async () => {
    gateway.route([], [sloPolicy({ queue: { maxWaitMs: 200 } })], [{ name: 'chat', model: 'llama-3.1-8b' }]);
    const response = await stream('a');
    expect(response.status).toBe(503);
    expect(Number(response.headers.get('retry-after'))).toBeGreaterThanOrEqual(1);
    expect(await errorOf(response)).toMatchObject({ type: 'server_error', code: 'no_replica' });
  });

  it('serves what it held when the first replica comes', async () => {
    gateway.route([], [sloPolicy()], [{ name: 'chat', model: 'llama-3.1-8b' }]);
    const waiting = stream('a');
    await queued(1);
    gateway.route([replica()], [sloPolicy()]);
    await until(() => held.length === 1);
    held[0]!();
    expect((await waiting).status).toBe(200);
  });

  it('forgets a client that leaves while it waits', async () => {
    gateway.route([replica()]);
    const running = stream('a');
    await until(() => held.length === 1);
    const leave = new AbortController();
    const gone = complete(gateway, { stream: true, prompt: 'gone' }, { signal: leave.signal }).catch(() => undefined);
    await queued(1);
    leave.abort();
    await gone;
    await queued(0);
    held[0]!();
    await running;
    expect(arrived()).toEqual(['a']);
  });

  it("serves a model's name by any of its deployments, and moves on when the one it waits for has no replica left", async () => {
    const other = await startUpstream(hold);
    const first = replica({ replicaId: 'a', deployment: 'chat-a' });
    const second = routedReplica({ replicaId: 'b', endpoint: other.url, deployment: 'chat-b', maxInFlight: 1 });
    gateway.route([first, second]);
    const body = { model: 'llama-3.1-8b', stream: true };
    const both = [complete(gateway, body), complete(gateway, body)];
    await until(() => held.length === 2);
    expect(other.received).toHaveLength(1);
    const waiting = [complete(gateway, body), complete(gateway, body)];
    await until(async () => {
      const stats = (await (await fetch(`${gateway.url}/uellm/stats`)).json()) as { deployments: { queued: number }[] };
      return stats.deployments.reduce((sum, d) => sum + d.queued, 0) === 2;
    });
    gateway.route([second]);
    for (let i = 0; i < 4; i++) {
      await until(() => held.length > i);
      held[i]!();
    }
    for (const response of [...both, ...waiting]) expect(await (await response).text()).toContain('[DONE]');
    expect(other.received).toHaveLength(3);
    await other.close();
  });

  it('gives revisions their shares of new requests', async () => {
    engine.answer = streamed(['x']);
    const canary = await startUpstream();
    gateway.route([
      replica({ replicaId: 'old-1', weight: 40, maxInFlight: 100 }),
      replica({ replicaId: 'old-2', weight: 40, maxInFlight: 100 }),
      routedReplica({ replicaId: 'new', endpoint: canary.url, revision: 2, weight: 20 }),
    ]);
    for (let i = 0; i < 50; i++) await (await stream('x')).text();
    expect(canary.received).toHaveLength(10);
    await canary.close();
  });
});
