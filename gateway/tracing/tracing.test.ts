import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { sloPolicySchema } from '../../core/domain/slo-policy.ts';
import { complete, type RoutedGateway, routedReplica, startRoutedGateway, until } from '../../test/support/gateway.ts';
import { startUpstream, streamed, type TestUpstream, whole } from '../../test/support/upstream.ts';

interface CollectedSpan {
  traceId: string;
  spanId: string;
  parentSpanId?: string;
  name: string;
  kind: number;
  startTimeUnixNano: string;
  endTimeUnixNano: string;
  attributes: { key: string; value: Record<string, unknown> }[];
  events: { name: string }[];
  status: { code?: number };
}

/** Takes spans by OTLP over HTTP, as JSON. */
async function startCollector() {
  const spans: CollectedSpan[] = [];
  let bodies = '';
  const server: Server = createServer((req, res) => {
    let body = '';
    req.on('data', (chunk) => {
      body += chunk;
    });
    req.on('end', () => {
      bodies += body;
      expect(req.url).toBe('/v1/traces');
      const { resourceSpans } = JSON.parse(body) as { resourceSpans: { scopeSpans: { spans: CollectedSpan[] }[] }[] };
      spans.push(...resourceSpans.flatMap(({ scopeSpans }) => scopeSpans.flatMap((scope) => scope.spans)));
      res.writeHead(200, { 'content-type': 'application/json' }).end('{}');
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    endpoint: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    spans,
    bodies: () => bodies,
    close: () => new Promise((resolve) => server.close(resolve)),
  };
}

const TRACE = '4bf92f3577b34da6a3ce929d0e0e4736';
const PARENT = '00f067aa0ba902b7';
const SAMPLED = { traceparent: `00-${TRACE}-${PARENT}-01`, tracestate: 'vendor=x', baggage: 'user=y' };

let collector: Awaited<ReturnType<typeof startCollector>>;
let engine: TestUpstream;
let gateway: RoutedGateway;
beforeEach(async () => {
  collector = await startCollector();
  engine = await startUpstream();
  gateway = await startTraced();
});
afterEach(async () => {
  await gateway.close();
  await Promise.all([engine.close(), collector.close()]);
});

async function startTraced(share = 1, endpoint = collector.endpoint): Promise<RoutedGateway> {
  const traced = await startRoutedGateway({ tracing: { endpoint, share } });
  traced.route([routedReplica({ replicaId: 'r1', endpoint: engine.url })]);
  return traced;
}

const attributesOf = ({ attributes }: CollectedSpan) =>
  Object.fromEntries(attributes.map(({ key, value }) => [key, Object.values(value)[0]]));
/** Closing delivers what there is. */
async function delivered(): Promise<Record<string, CollectedSpan[]>> {
  await gateway.close();
  const byName: Record<string, CollectedSpan[]> = {};
  for (const span of collector.spans) {
    byName[span.name] ??= [];
    byName[span.name]!.push(span);
  }
  return byName;
}
const seen = () => engine.received.at(-1)!.headers;

describe('a traced request', () => {
  it('has a span below its parent, with the wait and the sending below it, and the engine goes on below the sending', async () => {
    const response = await complete(gateway, { stream: true, max_tokens: 50, prompt: 'the secret' }, { headers: SAMPLED });
    await response.text();
    const { 'text_completion llama-3.1-8b': [request] = [], queue: [queue] = [], send: [send] = [] } = await delivered();
    expect(request).toMatchObject({ traceId: TRACE, parentSpanId: PARENT, kind: 2, status: {} });
    for (const child of [queue, send]) expect(child).toMatchObject({ traceId: TRACE, parentSpanId: request!.spanId });
    expect(seen().traceparent).toBe(`00-${TRACE}-${send!.spanId}-01`);
    expect(seen()).toMatchObject({ tracestate: 'vendor=x', baggage: 'user=y' });
    expect(attributesOf(request!)).toMatchObject({
      'gen_ai.operation.name': 'text_completion',
      'gen_ai.request.model': 'llama-3.1-8b',
      'gen_ai.request.max_tokens': 50,
      'gen_ai.usage.input_tokens': 7,
      'gen_ai.usage.output_tokens': 3,
      'uellm.replica': 'r1',
      'uellm.policy': 'fallback',
      'uellm.tenant': 'default',
      'uellm.outcome': 'ok',
      'uellm.queue_ms': expect.any(Number),
      'uellm.request_id': response.headers.get('x-request-id'),
    });
    expect(attributesOf(request!)).not.toHaveProperty('error.type');
    expect(attributesOf(send!)).toMatchObject({
      'server.address': '127.0.0.1',
      'server.port': Number(new URL(engine.url).port),
      'uellm.replica': 'r1',
      'http.response.status_code': 200,
    });
    expect(send!.events.map(({ name }) => name)).toEqual(['first_token']);
    const took = (span: CollectedSpan) => Number(BigInt(span.endTimeUnixNano) - BigInt(span.startTimeUnixNano)) / 1e6;
    expect(took(request!)).toBeGreaterThan(0);
    expect(took(request!)).toBeLessThan(60_000);
    expect(Math.abs(Number(BigInt(request!.startTimeUnixNano) / 1_000_000n) - Date.now())).toBeLessThan(60_000);
    expect(collector.bodies()).not.toContain('secret');
  });

  it('has one sending for each attempt', async () => {
    const bad = await startUpstream((res) => res.destroy());
    const { stepTime } = routedReplica({ replicaId: '', endpoint: '' });
    gateway.route([
      routedReplica({ replicaId: 'bad', endpoint: bad.url, stepTime: { ...stepTime, d0: 1 } }),
      routedReplica({ replicaId: 'r1', endpoint: engine.url }),
    ]);
    await (await complete(gateway, { stream: true }, { headers: SAMPLED })).text();
    const { send = [], queue = [] } = await delivered();
    expect(send.map((span) => attributesOf(span)['uellm.replica'])).toEqual(['bad', 'r1']);
    expect(send.map((span) => attributesOf(span)['error.type'])).toEqual(['broken', undefined]);
    expect(queue).toHaveLength(2);
    expect(bad.received[0]!.headers.traceparent).toContain(send[0]!.spanId);
    await bad.close();
  });

  it('that was never sent has waited, too', async () => {
    const policy = { name: 'short', targets: { ttftMs: 500 }, priority: -1, queue: { maxWaitMs: 100, onHopeless: 'shed' } };
    gateway.route([routedReplica({ replicaId: 'r1', endpoint: engine.url, maxInFlight: 1 })], [sloPolicySchema.parse(policy)]);
    const leave = new AbortController();
    engine.answer = () => undefined;
    const first = complete(gateway, {}, { signal: leave.signal }).catch(() => undefined);
    await until(() => engine.received.length === 1);
    expect((await complete(gateway, {}, { headers: SAMPLED })).status).toBe(429);
    leave.abort();
    await first;
    const { queue = [], send = [] } = await delivered();
    const ofTrace = (spans: CollectedSpan[]) => spans.filter(({ traceId }) => traceId === TRACE);
    expect([ofTrace(queue).length, ofTrace(send).length]).toEqual([1, 0]);
    const [waited] = ofTrace(queue);
    expect(Number(BigInt(waited!.endTimeUnixNano) - BigInt(waited!.startTimeUnixNano)) / 1e6).toBeGreaterThan(90);
  });

  it('begins a trace where it has no parent, and says why it failed', async () => {
    engine.answer = (res) => res.writeHead(500).end('{}');
    await (await complete(gateway, {})).text();
    const { 'text_completion llama-3.1-8b': [request] = [] } = await delivered();
    expect(request!.parentSpanId ?? '').toBe('');
    expect(seen().traceparent).toContain(request!.traceId);
    expect(attributesOf(request!)).toMatchObject({ 'uellm.outcome': 'failed', 'error.type': 'failed' });
    expect(request!.status).toMatchObject({ code: 2 });
  });

  it('is counted in the metrics of generative AI', async () => {
    await (await complete(gateway, { stream: true })).text();
    const text = await (await fetch(`${gateway.url}/metrics`)).text();
    const labels = 'gen_ai_operation_name="text_completion",gen_ai_request_model="llama-3.1-8b"';
    expect(text).toContain(`gen_ai_server_request_duration_seconds_count{${labels},error_type=""} 1`);
    expect(text).toContain(`gen_ai_server_time_to_first_token_seconds_count{${labels}} 1`);
    expect(text).toContain(`gen_ai_server_time_per_output_token_seconds_count{${labels}} 1`);
    expect(text).toContain(`gen_ai_client_token_usage_sum{${labels},gen_ai_token_type="input"} 7`);
    expect(text).toContain(`gen_ai_client_token_usage_sum{${labels},gen_ai_token_type="output"} 3`);
  });
});

describe('a request that is not traced', () => {
  it('has no spans where its parent has none, and its context passes untouched', async () => {
    const headers = { ...SAMPLED, traceparent: `00-${TRACE}-${PARENT}-00` };
    await (await complete(gateway, { stream: true }, { headers })).text();
    expect(seen()).toMatchObject(headers);
    await delivered();
    expect(collector.spans).toEqual([]);
  });

  it('has none where the lot says so, unless its parent has', async () => {
    await gateway.close();
    gateway = await startTraced(0);
    await (await complete(gateway, { stream: true })).text();
    expect(seen()).not.toHaveProperty('traceparent');
    await (await complete(gateway, { stream: true }, { headers: SAMPLED })).text();
    await delivered();
    expect(new Set(collector.spans.map(({ traceId }) => traceId))).toEqual(new Set([TRACE]));
  });

  it('passes its context untouched where tracing is off, and has no metrics of generative AI', async () => {
    await gateway.close();
    gateway = await startRoutedGateway();
    gateway.route([routedReplica({ replicaId: 'r1', endpoint: engine.url })]);
    await (await complete(gateway, { stream: true }, { headers: SAMPLED })).text();
    expect(seen()).toMatchObject(SAMPLED);
    expect(await (await fetch(`${gateway.url}/metrics`)).text()).not.toContain('gen_ai');
  });

  it.each(['', 'hello', `00-${TRACE}-${PARENT}`, `00-${'0'.repeat(32)}-${PARENT}-01`, `ff-${TRACE}-${PARENT}-01`])(
    'a parent that is none (%j) begins a trace of its own',
    async (traceparent) => {
      await (await complete(gateway, { stream: true }, { headers: { traceparent } })).text();
      await delivered();
      expect(collector.spans).toHaveLength(3);
      expect(collector.spans[0]!.traceId).not.toBe('0'.repeat(32));
    },
  );
});

describe('a collector that is away', () => {
  it('costs no request anything, and what waits for it is bounded', async () => {
    await gateway.close();
    const gone = await startUpstream();
    await gone.close();
    gateway = await startTraced(1, gone.url);
    engine.answer = whole;
    for (let i = 0; i < 12; i++) {
      const answers = Array.from({ length: 25 }, () => complete(gateway, {}).then((response) => response.text()));
      for (const text of await Promise.all(answers)) expect(text).toContain('"hi"');
    }
    engine.answer = streamed(['a']);
    expect(await (await complete(gateway, { stream: true })).text()).toContain('[DONE]');
    await until(() => engine.received.length === 301);
    await gateway.close();
  }, 60_000);
});
