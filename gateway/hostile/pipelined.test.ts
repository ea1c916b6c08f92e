/** Clients that send requests on a connection before those before them are answered. */
import { afterAll, beforeAll, beforeEach, expect, it } from 'vitest';
import { until } from '../../test/support/gateway.ts';
import { type BesiegedGateway, openAt, rawClient, rawCompletion, startBesieged } from '../../test/support/hostile.ts';
import { whole } from '../../test/support/upstream.ts';

let gateway: BesiegedGateway;
beforeAll(async () => {
  gateway = await startBesieged();
});
beforeEach(() => {
  gateway.engine.received.length = 0;
});
afterAll(() => gateway.close());

const ASK = rawCompletion('{"model":"chat","prompt":"x"}');

it('gets its answers in order', async () => {
  gateway.engine.answer = whole;
  const text = await gateway.beside(async () => {
    const client = rawClient(gateway, ASK + ASK + rawCompletion('{"model":"chat","prompt":"x"}', 'connection: close\r\n'));
    return client.ended;
  });
  expect(text.match(/HTTP\/1\.1 200 /g)).toHaveLength(3);
});

it('leaves nothing behind when it goes, whosever turn it was', async () => {
  gateway.engine.answer = () => undefined;
  await gateway.beside(async () => {
    const client = rawClient(gateway, ASK + ASK + ASK);
    await until(() => gateway.engine.received.length === 3);
    client.socket.resetAndDestroy();
    await until(() => gateway.engine.received.every(({ aborted }) => aborted));
  });
  expect(await openAt(gateway)).toBe(0);
});

it('is let go where it sends very many ahead, and its first request with it', async () => {
  gateway.engine.answer = () => undefined;
  await gateway.beside(async () => {
    await rawClient(gateway, ASK.repeat(200)).ended;
    await until(() => gateway.engine.received.every(({ aborted }) => aborted));
  });
  expect(gateway.engine.received.length).toBeLessThan(12);
});
