/** A client that goes away: wherever its request is by then, nothing goes on for it and nothing stays reserved. */
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { complete, type RoutedGateway, routedReplica, startRoutedGateway, until } from '../../test/support/gateway.ts';
import { type Answer, startUpstream, type TestUpstream } from '../../test/support/upstream.ts';

/** Never says a word. */
const silent: Answer = () => undefined;
const unavailable: Answer = (res) => res.writeHead(503).end('{}');

let gateway: RoutedGateway;
let first: TestUpstream;
let second: TestUpstream;
beforeEach(async () => {
  gateway = await startRoutedGateway({ policy: 'round-robin' });
  first = await startUpstream(unavailable);
  second = await startUpstream(silent);
});
afterEach(async () => {
  await gateway.close();
  await first.close();
  await second.close();
});

/** @returns how to leave */
function ask(): () => void {
  const leave = new AbortController();
  complete(gateway, {}, { signal: leave.signal }).catch(() => undefined);
  return () => leave.abort();
}

interface Told {
  open: number;
  deployments: { queued: number; classes: { cancelled: number }[] }[];
  replicas: { inFlight: number }[];
}
const told = async () => (await (await fetch(`${gateway.url}/uellm/stats`)).json()) as Told;
const nothingIsOpen = async () => {
  const { open, deployments, replicas } = await told();
  return open === 0 && deployments.every(({ queued }) => queued === 0) && replicas.every(({ inFlight }) => inFlight === 0);
};
const cancelled = async () => (await told()).deployments[0]?.classes[0]?.cancelled;

function route(maxInFlight: number): void {
  const rows = [
    routedReplica({ replicaId: 'r1', endpoint: first.url, maxInFlight }),
    routedReplica({ replicaId: 'r2', endpoint: second.url, maxInFlight }),
  ];
  gateway.route(rows, [], [{ name: 'chat', model: 'llama-3.1-8b' }]);
}

describe('a client that leaves', () => {
  it('before its engine has said a word: the engine is told', async () => {
    first.answer = silent;
    route(8);
    const leave = ask();
    await until(() => first.received.length === 1);
    leave();
    await until(() => first.received[0]!.aborted);
    await until(nothingIsOpen);
    expect(await cancelled()).toBe(1);
  });

  it('while another engine has its request after the first has failed it: that engine is told, and it goes no further', async () => {
    route(8);
    const leave = ask();
    await until(() => second.received.length === 1);
    leave();
    await until(() => second.received[0]!.aborted);
    await until(nothingIsOpen);
    expect([first.received.length, second.received.length]).toEqual([1, 1]);
    expect(await cancelled()).toBe(1);
  });

  it('while its request waits for another engine after the first has failed it: nobody gets it', async () => {
    // The second has one request, and no place for another.
    let fail = () => {};
    first.answer = (res) => {
      fail = () => unavailable(res, first.received[0]!);
    };
    route(1);
    const leaveFirst = ask();
    await until(() => first.received.length === 1);
    const leaveSecond = ask();
    await until(() => second.received.length === 1);
    gateway.route(
      [
        routedReplica({ replicaId: 'r1', endpoint: first.url, maxInFlight: 1, weight: 0 }),
        routedReplica({ replicaId: 'r2', endpoint: second.url, maxInFlight: 1 }),
      ],
      [],
      [{ name: 'chat', model: 'llama-3.1-8b' }],
    );
    fail();
    await until(async () => (await told()).deployments[0]?.queued === 1);
    leaveFirst();
    await until(async () => (await told()).deployments[0]?.queued === 0);
    leaveSecond();
    await until(nothingIsOpen);
    expect([first.received.length, second.received.length]).toEqual([1, 1]);
    expect(await cancelled()).toBe(2);
  });
});
