import { expect, it } from 'vitest';
import { sloPolicy } from '../../test/support/gateway.ts';
import type { Ended } from '../accepted.ts';
import { TokenEstimate } from '../body/token-estimate.ts';
import type { Exchange } from '../exchange.ts';
import { Ledger } from './ledger.ts';
import { createMetrics } from './metrics.ts';
import { Stats } from './stats.ts';

it('requests count for their policy, and the missed ones among them, from 0 on: cancelled and rejected ones do not', async () => {
  const metrics = createMetrics();
  const ledger = new Ledger({
    gatewayId: 'g',
    metrics,
    stats: new Stats(),
    genAi: null,
    estimate: new TokenEstimate(),
    observe: () => undefined,
  });
  const request = { endpoint: 'chat', choices: 1, maxTokens: null, prompt: { characters: 0, tokens: 0 } };
  const measured = { streamed: false, ttftMs: null, tpotMs: null, e2eMs: 50, outputTokens: null };
  const ends = (outcome: Ended['outcome'], e2eMs = 1000) => {
    const accepted = { id: 'a', model: 'm', class: 'c', tenant: 't', policy: sloPolicy(), targets: { e2eMs }, text: null, request };
    const exchange = { accepted, deployment: 'd', predictedOutput: { p50: 7, p90: 9 } } as unknown as Exchange;
    ledger.ended(exchange, { outcome, measured, usage: null, queueMs: 0, predicted: null, replica: null } satisfies Ended, undefined);
  };
  const counted = async () => {
    const text = await metrics.registry.metrics();
    return [...text.matchAll(/^uellm_slo_requests_(\w+)\{policy="(\w+)"\} (\d+)$/gm)].map(([, what, policy, count]) => [
      what,
      policy,
      Number(count),
    ]);
  };
  const { name } = sloPolicy();
  ends('cancelled');
  ends('rejected');
  expect(await counted()).toEqual([]);
  ends('ok');
  expect(await counted()).toEqual([
    ['total', name, 1],
    ['missed_total', name, 0],
  ]);
  ends('ok', 10); // too late
  ends('failed');
  ends('shed');
  expect(await counted()).toEqual([
    ['total', name, 4],
    ['missed_total', name, 3],
  ]);
});
