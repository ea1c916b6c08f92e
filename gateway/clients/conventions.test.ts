/** The conventions of the field that the gateway keeps, one by one; those of the queue and of deadlines have tests of their own. */
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
import { startUpstream, streamed, type TestUpstream } from '../../test/support/upstream.ts';
import { createMetrics } from '../accounts/metrics.ts';

let gateway: RoutedGateway;
let engine: TestUpstream;
beforeEach(async () => {
  engine = await startUpstream();
  gateway = await startRoutedGateway();
  gateway.route(
    [routedReplica({ replicaId: 'r1', endpoint: engine.url })],
    [
      sloPolicy({ name: 'everyone' }),
      sloPolicy({ name: 'urgent', match: { model: '*', tenant: '*', class: 'urgent' } }),
      sloPolicy({ name: 'acme', match: { model: '*', tenant: 'acme', class: '*' } }),
    ],
  );
});
afterEach(async () => {
  await gateway.close();
  await engine.close();
});

const metricsOf = async ({ url }: { url: string }) => (await fetch(`${url}/metrics`)).text();
const errorOf = async (response: Response) => ((await response.json()) as ErrorBody).error;
async function policyFor(headers: Record<string, string>) {
  const response = await complete(gateway, {}, { headers });
  await response.text();
  return response.headers.get('x-uellm-policy');
}

describe('headers of requests', () => {
  it.each(['x-slo-class', 'x-llm-d-inference-objective', 'x-gateway-inference-objective'])('%s names the class', async (name) => {
    expect(await policyFor({ [name]: 'urgent' })).toBe('urgent');
  });

  it.each(['x-tenant-id', 'x-llm-d-inference-fairness-id', 'x-gateway-inference-fairness-id'])('%s names the tenant', async (name) => {
    expect(await policyFor({ [name]: 'acme' })).toBe('acme');
  });

  it.each([
    ['x-llm-d-slo-ttft-ms', 'ttft'],
    ['x-slo-ttft-ms', 'ttft'],
    ['x-llm-d-slo-tpot-ms', 'tpot'],
    ['x-slo-tpot-ms', 'tpot'],
    ['x-slo-e2e-ms', 'e2e'],
  ])('%s sets the target of this request', async (name, type) => {
    engine.answer = streamed(['a', 'b', 'c'], 5);
    await (await complete(gateway, { stream: true }, { headers: { [name]: '0.000001' } })).text();
    expect(await metricsOf(gateway)).toMatch(new RegExp(`uellm_request_slo_violation_total\\{[^}]*type="${type}"\\} 1`));
  });

  it.each(['x-llm-d-slo-ttft-ms', 'x-slo-ttft-ms', 'x-llm-d-slo-tpot-ms', 'x-slo-tpot-ms', 'x-slo-e2e-ms'])(
    '%s of a wrong value is refused by name',
    async (name) => {
      for (const value of ['0', '-1', '1e3', 'NaN', 'Infinity', '99999999999', ' ', '0x10', '5ms']) {
        const response = await complete(gateway, {}, { headers: { [name]: value } });
        expect(response.status).toBe(400);
        expect(await errorOf(response)).toMatchObject({ type: 'invalid_request_error', code: 'invalid_value', param: name });
      }
      expect(engine.received).toHaveLength(0);
    },
  );
});

describe('headers of answers', () => {
  const OWN = ['overhead-ms', 'policy', 'predicted-output-tokens', 'predicted-ttft-ms', 'queue-ms', 'replica'].map((n) => `x-uellm-${n}`);
  const ownOf = (response: Response) => [...response.headers.keys()].filter((name) => name.startsWith('x-uellm-')).sort();

  it('name replica and policy, times of queue, prediction and overhead, and can be switched off', async () => {
    const told = await complete(gateway, { stream: true });
    await told.text();
    expect(ownOf(told)).toEqual(OWN);
    for (const name of OWN.filter((n) => /-ms$|tokens$/.test(n))) expect(Number(told.headers.get(name))).toBeGreaterThanOrEqual(0);
    const quiet = await startRoutedGateway({ explainHeaders: false });
    quiet.route([routedReplica({ replicaId: 'r1', endpoint: engine.url })]);
    const untold = await complete(quiet, { stream: true });
    await untold.text();
    expect(ownOf(untold)).toEqual([]);
    expect(untold.headers.get('x-request-id')).toMatch(/^req-/);
    await quiet.close();
  });
});

describe('503 with Retry-After', () => {
  it('before the first table, by a code of its own; for a model without a replica, once it has waited', async () => {
    const fresh = await startRoutedGateway();
    const early = await complete(fresh, {});
    expect([early.status, early.headers.get('retry-after'), early.headers.get('x-llm-d-request-dropped-reason')]).toEqual([
      503,
      '1',
      'starting',
    ]);
    expect(await errorOf(early)).toMatchObject({ code: 'starting', type: 'server_error' });
    fresh.route([], [sloPolicy({ queue: { maxWaitMs: 100, onHopeless: 'shed' } })], [{ name: 'chat', model: 'llama-3.1-8b' }]);
    const alone = await complete(fresh, {});
    expect([alone.status, alone.headers.get('retry-after'), alone.headers.get('x-llm-d-request-dropped-reason')]).toEqual([
      503,
      '5',
      'no-replica',
    ]);
    expect(await errorOf(alone)).toMatchObject({ code: 'no_replica' });
    await fresh.close();
  });
});

describe('names', () => {
  it('of models and of their deployments both lead to a replica, and one model can be looked up', async () => {
    for (const model of ['chat', 'llama-3.1-8b']) {
      await (await complete(gateway, { model })).text();
      const found = await fetch(`${gateway.url}/v1/models/${model}`);
      expect([found.status, ((await found.json()) as { id: string }).id]).toEqual([200, model]);
    }
    expect(engine.received.map(({ json }) => json.model)).toEqual(['chat', 'llama-3.1-8b']);
    for (const name of ['none', 'a%2Fb', '%E0%A4%A', '']) {
      const missing = await fetch(`${gateway.url}/v1/models/${name}`);
      expect(missing.status).toBe(404);
      expect(await errorOf(missing)).toMatchObject({ code: 'model_not_found', message: expect.stringContaining('served are chat') });
    }
    expect((await fetch(`${gateway.url}/v1/models/chat`, { method: 'DELETE' })).status).toBe(405);
  });

  it('that clients make up get 1,000 labels, and the rest one', () => {
    const metrics = createMetrics();
    const labels = Array.from({ length: 1500 }, (_, i) => metrics.classLabel(`class-${i}`));
    expect(new Set(labels).size).toBe(1001);
    expect([labels[999], labels[1000], labels[1499], metrics.classLabel('class-3')]).toEqual(['class-999', 'other', 'other', 'class-3']);
  });
});

describe('output that is no text', () => {
  it('counts: deltas of tool calls, of several choices', async () => {
    const delta = (index: number) =>
      `data: {"choices":[{"index":${index},"delta":{"tool_calls":[{"index":0,"function":{"arguments":"{"}}]}}]}\n\n`;
    engine.answer = (res) => {
      res.writeHead(200, { 'content-type': 'text/event-stream' });
      res.end(`${delta(0)}${delta(1)}${delta(0)}data: [DONE]\n\n`);
    };
    const body = JSON.stringify({
      model: 'chat',
      messages: [{ role: 'user', content: 'x' }],
      n: 2,
      stop: ['\n'],
      tools: [{ type: 'function', function: { name: 'f' } }],
      tool_choice: 'auto',
      response_format: { type: 'json_object' },
      logprobs: true,
      top_logprobs: 2,
      stream: true,
      stream_options: { include_usage: true },
    });
    const response = await fetch(`${gateway.url}/v1/chat/completions`, { method: 'POST', body });
    expect(await response.text()).toBe(`${delta(0)}${delta(1)}${delta(0)}data: [DONE]\n\n`);
    expect(engine.received[0]?.text).toBe(body);
    await until(async () => /uellm_output_tokens_total\{[^}]*\} 3/.test(await metricsOf(gateway)));
  });
});
