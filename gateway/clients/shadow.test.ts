/** What clients and engines see of a deployment's mode: in shadow the order of arrival and nothing else, at once and without a restart. */
import { afterEach, beforeEach, expect, it } from 'vitest';
import { complete, type RoutedGateway, routedReplica, sloPolicy, startRoutedGateway, until } from '../../test/support/gateway.ts';
import { startUpstream, type TestUpstream, whole } from '../../test/support/upstream.ts';

let engine: TestUpstream;
let gateway: RoutedGateway;
let held: (() => void)[];
beforeEach(async () => {
  held = [];
  engine = await startUpstream((res, request) => new Promise<void>((resolve) => held.push(resolve)).then(() => whole(res, request)));
  gateway = await startRoutedGateway({ explainHeaders: true, maxQueued: 3 });
});
afterEach(async () => {
  for (const answer of held) answer();
  await gateway.close();
  await engine.close();
});

const policies = [
  sloPolicy({ name: 'urgent', match: { model: '*', tenant: '*', class: 'urgent' }, priority: 100 }),
  sloPolicy({
    name: 'batch',
    match: { model: '*', tenant: '*', class: 'batch' },
    priority: -10,
    queue: { maxWaitMs: 50, onHopeless: 'shed' },
  }),
];
const route = (shadowed: boolean) =>
  gateway.route([routedReplica({ replicaId: 'r', endpoint: engine.url, maxInFlight: 1, ...(shadowed && { shadowed }) })], policies);
const ask = (prompt: string, sloClass: string) =>
  complete(gateway, { prompt, stream: false, priority: 5 }, { headers: { 'x-slo-class': sloClass, 'x-uellm-explain': 'true' } });
const prompts = () => engine.received.map((r) => r.json.prompt);

interface Stats {
  deployments: { name: string; queued: number; policy: string }[];
}
async function deployment() {
  return ((await (await fetch(`${gateway.url}/uellm/stats`)).json()) as Stats).deployments.find(({ name }) => name === 'chat')!;
}
const queued = (n: number) => until(async () => (await deployment()).queued === n);

/** Lets the engine answer what it has, until it has had so many. */
async function answerUntil(received: number): Promise<void> {
  await until(() => {
    for (const answer of held.splice(0)) answer();
    return engine.received.length === received;
  });
}

it('sends in the order of arrival, sheds nobody, and tells engines of no priority', async () => {
  route(true);
  const first = ask('1', 'batch');
  await until(() => engine.received.length === 1);
  const rest = [];
  for (const [i, sloClass] of ['batch', 'batch', 'urgent'].entries()) {
    rest.push(ask(String(i + 2), sloClass));
    await queued(i + 1);
  }
  // A full queue takes nobody in the place of another.
  expect((await ask('5', 'urgent')).status).toBe(429);
  expect((await deployment()).policy).toBe('least-in-flight');
  await new Promise((resolve) => setTimeout(resolve, 200)); // four times as long as a batch request may wait
  await answerUntil(4);
  for (const answer of held.splice(0)) answer();
  expect((await Promise.all([first, ...rest])).map((r) => r.status)).toEqual([200, 200, 200, 200]);
  expect(prompts()).toEqual(['1', '2', '3', '4']);
  expect(engine.received.map((r) => r.json.priority ?? 0)).toEqual([0, 0, 0, 0]);
  expect(JSON.parse((await first).headers.get('x-uellm-explanation')!)).toMatchObject({ policy: 'least-in-flight' });
});

it('changes with the routing table, for what waits already as well', async () => {
  route(true);
  const answers = [ask('1', 'urgent')];
  await until(() => engine.received.length === 1);
  answers.push(ask('2', 'standard'));
  await queued(1);
  answers.push(ask('3', 'urgent'));
  await queued(2);
  route(false);
  expect((await deployment()).policy).toBe('uellm');
  await answerUntil(3);
  for (const answer of held.splice(0)) answer();
  expect((await Promise.all(answers)).map((r) => r.status)).toEqual([200, 200, 200]);
  expect(prompts()).toEqual(['1', '3', '2']);
  expect(engine.received[1]!.json.priority).toBe(-100);
  route(true);
  expect((await deployment()).policy).toBe('least-in-flight');
});
