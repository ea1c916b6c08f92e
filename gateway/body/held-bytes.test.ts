import { request } from 'node:http';
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
import { DONE, startUpstream, type TestUpstream, token, whole } from '../../test/support/upstream.ts';

const MIB = 1024 * 1024;

describe('the bytes of bodies', () => {
  let gateway: RoutedGateway;
  let engine: TestUpstream;
  let answers: (() => void)[];

  beforeEach(async () => {
    answers = [];
    engine = await startUpstream((res, received) => answers.push(() => whole(res, received)));
    gateway = await startRoutedGateway({ maxHeldBytes: 3 * MIB, maxBodyBytes: 2 * MIB });
    gateway.route([routedReplica({ replicaId: 'r', endpoint: engine.url, maxInFlight: 1 })], [sloPolicy()]);
  });
  afterEach(async () => {
    await gateway.close();
    await engine.close();
  });

  const large = () => complete(gateway, { prompt: 'x'.repeat(1.4 * MIB) });

  it('are bounded over all requests, waiting or being answered, and given back at their end', async () => {
    const [first, second] = [large(), large()];
    await until(() => answers.length === 1);
    await until(async () => (await fetch(`${gateway.url}/uellm/stats`).then((r) => r.json() as Promise<{ open: number }>)).open === 2);
    const refused = await large();
    expect(refused.status).toBe(429);
    expect(refused.headers.get('retry-after')).toBe('1');
    expect(refused.headers.get('x-llm-d-request-dropped-reason')).toBe('bodies-held');
    expect(((await refused.json()) as ErrorBody).error).toMatchObject({
      type: 'rate_limit_error',
      code: 'bodies_held',
      message: 'the bodies of open requests take 3 MiB already, the most that this gateway holds',
    });
    // Whichever of the two came whole first.
    answers[0]!();
    await until(() => answers.length === 2);
    answers[1]!();
    for (const response of [first, second]) expect((await response).status).toBe(200);
    const next = large();
    await until(async () => /^uellm_held_body_bytes 14\d{5}$/m.test(await (await fetch(`${gateway.url}/metrics`)).text()));
    await until(() => answers.length === 3);
    answers[2]!();
    expect((await next).status).toBe(200);
    await until(async () => /^uellm_held_body_bytes 0$/m.test(await (await fetch(`${gateway.url}/metrics`)).text()));
  });

  it('are given back once an answer begins: no other replica is asked then', async () => {
    let end = () => {};
    const streaming = await startUpstream((res) => {
      res.writeHead(200, { 'content-type': 'text/event-stream' });
      res.write(token('x'));
      end = () => res.end(DONE);
    });
    gateway.route([routedReplica({ replicaId: 'streaming', endpoint: streaming.url })], [sloPolicy()]);
    const response = await complete(gateway, { prompt: 'x'.repeat(MIB), stream: true });
    expect(response.status).toBe(200);
    expect(await (await fetch(`${gateway.url}/metrics`)).text()).toMatch(/^uellm_held_body_bytes 0$/m);
    end();
    expect(await response.text()).toContain('[DONE]');
    expect(await (await fetch(`${gateway.url}/metrics`)).text()).toMatch(/^uellm_held_body_bytes 0$/m);
    await streaming.close();
  });

  it('are given back by what is refused, too large, or never comes whole', async () => {
    const gone = request(`${gateway.url}/v1/completions`, { method: 'POST', headers: { 'content-length': 2 * MIB } });
    gone.on('error', () => undefined);
    gone.write('x'.repeat(1.5 * MIB));
    await new Promise((resolve) => setTimeout(resolve, 100));
    gone.destroy();
    for (let i = 0; i < 4; i++) {
      expect((await complete(gateway, { prompt: 'x'.repeat(2 * MIB) })).status).toBe(413);
      expect((await complete(gateway, { model: 'none', prompt: 'x'.repeat(1.5 * MIB) })).status).toBe(404);
      expect((await complete(gateway, { prompt: 7, other: 'x'.repeat(1.5 * MIB) })).status).toBe(400);
    }
    const [a, b] = [large(), large()];
    await until(() => answers.length === 1);
    answers[0]!();
    await until(() => answers.length === 2);
    answers[1]!();
    expect([(await a).status, (await b).status]).toEqual([200, 200]);
  });
});
