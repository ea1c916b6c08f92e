import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, describe, expect, it } from 'vitest';
import { probeVllm } from './probe.ts';

let server: Server;
afterEach(() => server.close());

/** An engine that calls itself well and lists its model, whatever its state. */
async function engine(metrics: string): Promise<string> {
  server = createServer((req, res) => {
    if (req.url === '/v1/models') res.end(JSON.stringify({ data: [{ id: 'demo' }] }));
    else res.end(req.url === '/metrics' ? metrics : '');
  }).listen(0, '127.0.0.1');
  await new Promise((resolve) => server.once('listening', resolve));
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}
const sleepState = (awake: number, offloaded: number) =>
  `vllm:engine_sleep_state{engine="0",sleep_state="awake"} ${awake}\nvllm:engine_sleep_state{engine="0",sleep_state="weights_offloaded"} ${offloaded}\n`;

describe('a vLLM engine', () => {
  it.each([
    ['awake', sleepState(1, 0), 'ready'],
    ['of a version that does not say', '', 'ready'],
    ['asleep', sleepState(0, 1), 'loading'],
    ['paused', sleepState(0, 0), 'loading'],
  ])('%s', async (_, metrics, state) => {
    expect(await probeVllm(await engine(metrics), 'demo')).toMatchObject({ state });
  });
});
