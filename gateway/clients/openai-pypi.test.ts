/** OpenAI's own client for Python, in front of simulated engines. */
import { afterAll, beforeAll, expect, it } from 'vitest';
import { complete, type RoutedGateway, routedReplica, sloPolicy, startRoutedGateway, until } from '../../test/support/gateway.ts';
import { findPythonClient, runPython } from '../../test/support/python-client.ts';
import { runningOn, startRoutedEngine } from '../../test/support/simulated-engine.ts';
import { startUpstream, type TestUpstream } from '../../test/support/upstream.ts';

const KEY = 'admin-key';
const INSTALL_MS = 180_000;

let found: Awaited<ReturnType<typeof findPythonClient>>;
let gateway: RoutedGateway;
let engine: Awaited<ReturnType<typeof startRoutedEngine>>;
let full: TestUpstream;

beforeAll(async () => {
  found = await findPythonClient();
  engine = await startRoutedEngine('r1');
  full = await startUpstream(() => undefined);
  gateway = await startRoutedGateway({ apiKeys: [KEY], keepAliveMs: 150 });
  const shedding = sloPolicy({ queue: { maxWaitMs: 400, onHopeless: 'shed' }, match: { model: 'shed-model', tenant: '*', class: '*' } });
  gateway.route(
    [engine.row, routedReplica({ replicaId: 'full', deployment: 'shed', model: 'shed-model', endpoint: full.url, maxInFlight: 1 })],
    [sloPolicy(), { ...shedding, name: 'shedding' }],
  );
}, INSTALL_MS);
afterAll(async () => {
  await gateway.close();
  await engine.close();
  await full.close();
});

it("OpenAI's client for Python", { timeout: 90_000 }, async (context) => {
  if ('skipped' in found) return context.skip(found.skipped);
  const leave = new AbortController();
  const filling = complete(gateway, { model: 'shed' }, { headers: { authorization: `Bearer ${KEY}` }, signal: leave.signal });
  await until(() => full.received.length === 1);
  const seen = await runPython(found.python, 'openai_client.py', [`${gateway.url}/v1`, KEY]);
  leave.abort();
  await expect(filling).rejects.toThrow();
  expect(seen).toEqual({
    models: ['chat', 'llama-3.1-8b', 'shed', 'shed-model', 'uellm'],
    chat: ['This is simulated text, not', 2, 12],
    stop: ['This is ', 'stop'],
    stream: ['This is simulated text, not', 6],
    tool: ['weather', { city: 'simulated' }],
    streamed_tool: { city: 'simulated' },
    json_mode: true,
    embeddings: [8, 8, 2],
    errors: [
      ['AuthenticationError', 'invalid_api_key'],
      ['NotFoundError', 'model_not_found'],
      ['BadRequestError', 'invalid_value'],
      ['APITimeoutError', null],
      // After comments that kept it alive: told in the stream. As a whole answer: by its status.
      ['APIError', 'shed'],
      ['RateLimitError', 'shed'],
    ],
    cancelled: true,
  });
  await until(async () => (await runningOn(engine)) === 0);
});
