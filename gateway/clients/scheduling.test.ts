/** What clients and engines see of the scheduler: every policy in a real gateway, prefixes, batches, explanations. */
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { SCHEDULER_POLICIES } from '../../core/scheduler/registry.ts';
import {
  complete,
  type ErrorBody,
  type RoutedGateway,
  routedReplica,
  sloPolicy,
  startRoutedGateway,
  until,
} from '../../test/support/gateway.ts';
import { type Answer, startUpstream, streamed, type TestUpstream, whole } from '../../test/support/upstream.ts';

let engines: TestUpstream[];
let gateway: RoutedGateway;
beforeEach(async () => {
  engines = [await startUpstream(), await startUpstream()];
});
afterEach(async () => {
  await gateway.close();
  await Promise.all(engines.map((engine) => engine.close()));
});

const replicas = (parts: object = {}) =>
  engines.map((engine, i) => routedReplica({ replicaId: `r${i + 1}`, endpoint: engine.url, ...parts }));
const prompts = (engine: TestUpstream) => engine.received.map((r) => r.json.prompt);

describe.each(SCHEDULER_POLICIES.map(({ name }) => name))('with the policy %s', (policy) => {
  it('serves all, each once', async () => {
    gateway = await startRoutedGateway({ policy });
    for (const engine of engines) engine.answer = streamed(['a', 'b', 'c'], 2);
    gateway.route(replicas({ maxInFlight: 4 }), [
      sloPolicy({ name: 'chat', match: { model: '*', tenant: '*', class: 'chat' }, targets: { ttftMs: 500, tpotMs: 50, attainment: 0.9 } }),
      sloPolicy({ name: 'batch', match: { model: '*', tenant: '*', class: 'batch' }, priority: -10 }),
    ]);
    const sent = Array.from({ length: 30 }, (_, i) => `${i} ${'word '.repeat((i % 5) * 200)}`);
    const answers = await Promise.all(
      sent.map(async (prompt, i) => {
        const stream = i % 3 !== 0;
        const response = await complete(gateway, { stream, prompt }, { headers: { 'x-slo-class': i % 2 === 0 ? 'chat' : 'batch' } });
        return [response.status, await response.text()];
      }),
    );
    for (const [status, text] of answers) expect([status, text]).toEqual([200, expect.stringContaining('"text":"c"')]);
    expect(engines.flatMap(prompts).sort()).toEqual([...sent].sort());
    await until(async () => {
      const stats = (await (await fetch(`${gateway.url}/uellm/stats`)).json()) as { replicas: { inFlight: number; finished: number }[] };
      return stats.replicas.every((r) => r.inFlight === 0) && stats.replicas.reduce((sum, r) => sum + r.finished, 0) === 30;
    });
  });
});

describe('prefixes', () => {
  it('bring prompts with the same beginning to the replica that has it, where the policy looks at them', async () => {
    gateway = await startRoutedGateway({ policy: 'prefix-affinity' });
    gateway.route(replicas());
    const beginnings = ['ab', 'xy', 'kl'].map((text) => text.repeat(2000));
    for (let i = 0; i < 12; i++) {
      const content = `${beginnings[i % 3]} question ${i}`;
      const body = { model: 'chat', stream: true, messages: [{ role: 'user', content }] };
      const headers = { 'content-type': 'application/json' };
      await (await fetch(`${gateway.url}/v1/chat/completions`, { method: 'POST', headers, body: JSON.stringify(body) })).text();
    }
    const beginningsOf = (engine: TestUpstream) =>
      new Set(engine.received.map((r) => (r.json.messages as { content: string }[])[0]!.content.slice(0, 2)));
    const [first, second] = engines.map(beginningsOf);
    expect(first!.size + second!.size).toBe(3);
    expect(engines.map((engine) => engine.received.length).sort((x, y) => x - y)).toEqual([4, 8]);
  });
});

describe('an engine that batches statically', () => {
  it('has its next batch when all of the last has ended', async () => {
    const held: (() => void)[] = [];
    const hold: Answer = (res, request) => held.push(() => whole(res, request));
    engines[0]!.answer = hold;
    gateway = await startRoutedGateway();
    gateway.route([routedReplica({ replicaId: 'r1', endpoint: engines[0]!.url, batching: 'static', maxInFlight: 2 })]);
    const answers = [complete(gateway, { prompt: '0' })];
    await until(() => held.length === 1);
    for (let i = 1; i < 4; i++) answers.push(complete(gateway, { prompt: String(i) }));
    const received = () => engines[0]!.received.length;
    await new Promise((resolve) => setTimeout(resolve, 100));
    expect(received()).toBe(1);
    held[0]!();
    await until(() => received() === 3);
    held[1]!();
    await new Promise((resolve) => setTimeout(resolve, 100));
    expect(received()).toBe(3);
    held[2]!();
    await until(() => received() === 4);
    held[3]!();
    for (const answer of answers) expect((await answer).status).toBe(200);
    expect(prompts(engines[0]!)[0]).toBe('0');
  });
});

describe('an explanation', () => {
  const why = { headers: { 'x-uellm-explain': 'true' } };
  const explanationOf = (response: Response) => JSON.parse(response.headers.get('x-uellm-explanation')!);

  it('goes to who asks for one, and nobody else; the engine is not asked', async () => {
    gateway = await startRoutedGateway({ policy: 'edf' });
    gateway.route(replicas());
    const asked = await complete(gateway, { stream: true }, why);
    await asked.text();
    const told = explanationOf(asked);
    expect(told).toMatchObject({ policy: 'edf', because: expect.stringContaining('due in'), leftOut: 0 });
    expect(told.replica).toBe(asked.headers.get('x-uellm-replica'));
    expect(told.considered.map((c: { replica: string; verdict: string }) => [c.replica, c.verdict]).sort()).toEqual([
      ['r1', 'chosen'],
      ['r2', 'not preferred'],
    ]);
    const silent = await complete(gateway, { stream: true });
    await silent.text();
    expect(silent.headers.has('x-uellm-explanation')).toBe(false);
    for (const { headers } of engines.flatMap((engine) => engine.received)) expect(headers).not.toHaveProperty('x-uellm-explain');
  });

  it('says why a request was refused', async () => {
    const held: (() => void)[] = [];
    engines[0]!.answer = (res, request) => held.push(() => whole(res, request));
    gateway = await startRoutedGateway({ policy: 'fcfs', maxQueued: 1 });
    const [only] = replicas({ maxInFlight: 1 });
    gateway.route([only!], [sloPolicy({ queue: { maxWaitMs: 300, onHopeless: 'shed' } })]);
    const running = complete(gateway, {});
    await until(() => held.length === 1);
    const waits = complete(gateway, {}, why);
    await new Promise((resolve) => setTimeout(resolve, 50));
    const full = await complete(gateway, {}, why);
    expect(full.status).toBe(429);
    expect(full.headers.get('x-llm-d-request-dropped-reason')).toBe('queue-full');
    expect(explanationOf(full)).toMatchObject({ policy: 'fcfs', because: "1 requests wait for 'chat' already", considered: [] });
    const shed = await waits;
    expect(shed.headers.get('x-llm-d-request-dropped-reason')).toBe('waited-too-long');
    expect(explanationOf(shed)).toMatchObject({ because: expect.stringContaining('as long as it may') });
    expect(explanationOf(shed).waitedMs).toBeGreaterThanOrEqual(300);
    held[0]!();
    await running;
  });

  it('is not given by a gateway that explains nothing', async () => {
    gateway = await startRoutedGateway({ explainHeaders: false, policy: 'edf' });
    gateway.route(replicas());
    expect((await complete(gateway, {}, why)).headers.has('x-uellm-explanation')).toBe(false);
  });

  it('is asked for with true or false', async () => {
    gateway = await startRoutedGateway();
    gateway.route(replicas());
    const response = await complete(gateway, {}, { headers: { 'x-uellm-explain': 'please' } });
    expect(response.status).toBe(400);
    expect(((await response.json()) as ErrorBody).error).toMatchObject({ param: 'x-uellm-explain' });
  });
});
