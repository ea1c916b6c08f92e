/** Answers that never end, though something always comes. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { complete, until } from '../../test/support/gateway.ts';
import { type BesiegedGateway, errorOf, startBesieged } from '../../test/support/hostile.ts';
import { streamed } from '../../test/support/upstream.ts';

let gateway: BesiegedGateway;
beforeAll(async () => {
  gateway = await startBesieged({ maxRequestMs: 3000 });
});
afterAll(() => gateway.close());

/** Its neighbour comes later, and has time to end. */
async function overlong(stream: boolean): Promise<{ response: Response; text: string }> {
  const answered = complete(gateway, { stream }).then(async (response) => ({ response, text: await response.clone().text() }));
  await new Promise((resolve) => setTimeout(resolve, 1500));
  const ended = await gateway.beside(() => answered);
  await until(() => gateway.engine.received.every(({ aborted }) => aborted));
  return ended;
}

describe('a request that has taken the longest that it may', () => {
  it('is ended within a stream of tokens', async () => {
    gateway.engine.answer = streamed(Array(100_000).fill('x'), 20);
    const { text } = await overlong(true);
    expect(text.startsWith('data: {"id":"c"')).toBe(true);
    expect(text).toContain('"request_too_long"');
    expect(text).not.toContain('[DONE]');
  });

  it('is ended within a stream of nothing but comments', async () => {
    gateway.engine.answer = (res) => {
      res.writeHead(200, { 'content-type': 'text/event-stream' });
      const timer = setInterval(() => res.write(': still here\n\n'), 50);
      res.on('close', () => clearInterval(timer));
    };
    expect((await overlong(true)).text).toContain('"request_too_long"');
  });

  it('is ended before its answer has begun', async () => {
    gateway.engine.answer = (res) => {
      const timer = setInterval(() => res.writeProcessing(), 50);
      res.on('close', () => clearInterval(timer));
    };
    const { response } = await overlong(false);
    expect(response.status).toBe(504);
    expect(await errorOf(response)).toMatchObject({ type: 'server_error', code: 'request_too_long' });
  });
});
