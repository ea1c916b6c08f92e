/** What is written down of requests that teach the profiler nothing. */
import { expect, it } from 'vitest';
import { NOT_LEARNED_FROM, type Observation } from '../../core/domain/observation.ts';
import { sloPolicy } from '../../test/support/gateway.ts';
import type { Ended } from '../accepted.ts';
import { TokenEstimate } from '../body/token-estimate.ts';
import type { Exchange } from '../exchange.ts';
import { Ledger } from './ledger.ts';
import { createMetrics } from './metrics.ts';
import { Stats } from './stats.ts';

const accepted = {
  id: 'a',
  model: 'm',
  class: 'c',
  tenant: 't',
  policy: sloPolicy(),
  targets: {},
  learnFrom: 'full',
  text: null,
  inputTokens: 9,
};
const measured = { streamed: false, ttftMs: null, tpotMs: null, e2eMs: 5, outputTokens: null };
const ended = { outcome: 'ok', measured, usage: null, queueMs: 0, predicted: null, replica: null } as const satisfies Ended;

function observed(request: { endpoint: string; choices: number }, outputTokens: number | null): Observation {
  const seen: Observation[] = [];
  const parts = { gatewayId: 'g', metrics: createMetrics(), stats: new Stats(), genAi: null, estimate: new TokenEstimate() };
  const ledger = new Ledger({ ...parts, observe: (observation) => seen.push(observation) });
  const whole = { ...accepted, request: { ...request, maxTokens: null, prompt: { characters: 0, tokens: 0 } } };
  const exchange = { accepted: whole, deployment: 'd', predictedOutput: { p50: 7, p90: 9 } } as unknown as Exchange;
  ledger.ended(exchange, { ...ended, measured: { ...measured, outputTokens } }, undefined);
  return seen[0]!;
}

it('one answer is a lesson', () => {
  expect(observed({ endpoint: 'chat', choices: 1 }, 12)).toMatchObject({ outputTokens: 12, predictedOutputP50: 7, featureKey: null });
});

it('several answers are told in all, and are none', () => {
  expect(observed({ endpoint: 'chat', choices: 3 }, 36)).toMatchObject({ outputTokens: 36, featureKey: NOT_LEARNED_FROM });
});

it('an embedding has no output, and no prediction of it', () => {
  expect(observed({ endpoint: 'embedding', choices: 1 }, null)).toMatchObject({
    inputTokens: 9,
    outputTokens: null,
    predictedOutputP50: null,
    predictedOutputP90: null,
  });
});
