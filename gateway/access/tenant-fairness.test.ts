import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { Tenant } from '../../core/domain/tenant.ts';
import { complete, type RoutedGateway, routedReplica, sloPolicy, startRoutedGateway, until } from '../../test/support/gateway.ts';
import { startUpstream, streamed, type TestUpstream } from '../../test/support/upstream.ts';

let gateway: RoutedGateway;
let engine: TestUpstream;
/** Ends the oldest request that the engine has. */
let finish: (() => void)[];

beforeEach(async () => {
  finish = [];
  engine = await startUpstream((res, request) => {
    finish.push(() => streamed(Array(10).fill('x'))(res, request));
  });
});
afterEach(async () => {
  await gateway.close();
  await engine.close();
});

const AT_ONCE = 4;

async function start(tenants: Partial<Tenant>[], options: Parameters<typeof startRoutedGateway>[0] = {}, policies = [sloPolicy()]) {
  gateway = await startRoutedGateway(options);
  gateway.route(
    [routedReplica({ replicaId: 'r', endpoint: engine.url, maxInFlight: AT_ONCE })],
    policies,
    [],
    tenants.map((tenant) => ({ name: '', features: 'full', ...tenant })),
  );
}

/** Sends so many, and waits until they wait. @returns their statuses */
async function send(tenant: string, count: number): Promise<Promise<number>[]> {
  const before = await waiting();
  const answers = Array.from({ length: count }, async () => {
    const response = await complete(gateway, { stream: true, max_tokens: 10, prompt: tenant }, { headers: { 'x-tenant-id': tenant } });
    await response.text();
    return response.status;
  });
  await until(async () => (await waiting()) >= before + count, 20_000);
  return answers;
}

async function waiting(): Promise<number> {
  const stats = (await (await fetch(`${gateway.url}/uellm/stats`)).json()) as { deployments: { queued: number; inFlight: number }[] };
  return stats.deployments.reduce((sum, { queued, inFlight }) => sum + queued + inFlight, 0);
}

/** The engine ends requests one by one, and the next come in. @returns tenant → requests served of the next `count` */
async function serve(count: number): Promise<Record<string, number>> {
  const from = engine.received.length;
  for (let i = 0; i < count; i++) {
    finish.shift()!();
    await until(() => engine.received.length === from + i + 1);
  }
  const served: Record<string, number> = {};
  for (const { json } of engine.received.slice(from)) served[String(json.prompt)] = (served[String(json.prompt)] ?? 0) + 1;
  return served;
}

async function serveTheRest(answers: Promise<number>[]): Promise<number[]> {
  let ended = false;
  const all = Promise.all(answers).finally(() => {
    ended = true;
  });
  while (!ended) {
    finish.shift()?.();
    await new Promise((resolve) => setImmediate(resolve));
  }
  return all;
}

describe('tenants of a class whose requests wait', () => {
  it('are served by their weights, whoever came first', async () => {
    await start([{ name: 'heavy', weight: 3 }, { name: 'light' }]);
    const answers = [...(await send('light', 60)), ...(await send('heavy', 60))];
    const { heavy, light } = await serve(60);
    expect(heavy! / light!).toBeGreaterThan(2.7);
    expect(heavy! / light!).toBeLessThan(3.4);
    await serveTheRest(answers);
  });

  it('are served by the weight that a policy sets, before their own', async () => {
    const policies = [sloPolicy(), sloPolicy({ name: 'boost', match: { model: '*', tenant: 'light', class: '*' }, weight: 3 })];
    await start([{ name: 'heavy' }, { name: 'light', weight: 1 }], {}, policies);
    const answers = [...(await send('heavy', 60)), ...(await send('light', 60))];
    const { heavy, light } = await serve(60);
    expect(light! / heavy!).toBeGreaterThan(2.7);
    await serveTheRest(answers);
  });

  it('are not starved by one that sends a hundred times as much', async () => {
    await start([]);
    const flood = await send('flood', 100);
    const small = await send('small', 1);
    expect(await serve(2)).toMatchObject({ small: 1 });
    await serveTheRest([...flood, ...small]);
  });

  it('get into a queue that another has filled', async () => {
    await start([], { maxQueued: 20 });
    let refused = 0;
    const ask = async (tenant: string) => {
      const response = await complete(gateway, { stream: true, prompt: tenant }, { headers: { 'x-tenant-id': tenant } });
      if (response.status === 429) refused += 1;
      await response.text();
      return response.status;
    };
    const flood = Array.from({ length: 60 }, () => ask('flood'));
    await until(() => refused === 60 - 20 - AT_ONCE);
    const small = Array.from({ length: 5 }, () => ask('small'));
    await until(() => refused === 60 - 20 - AT_ONCE + 5);
    const answers = await serveTheRest([...flood, ...small]);
    expect(answers.slice(60)).toEqual([200, 200, 200, 200, 200]);
  });
});
