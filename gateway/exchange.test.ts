import type { ServerResponse } from 'node:http';
import { describe, expect, it } from 'vitest';
import { sloPolicy } from '../test/support/gateway.ts';
import { type Accepted, Exchange, type ExchangeParts } from './exchange.ts';

function exchange(parts: Partial<Accepted>): Exchange {
  const accepted = { prediction: { p50: 100, p90: 300 }, request: { choices: 2 }, tenant: 'acme', policy: sloPolicy(), ...parts };
  return new Exchange({} as ExchangeParts, accepted as Accepted, {} as ServerResponse);
}

describe('a request as the scheduler sees it', () => {
  it('is of its tenant, with the weight of its policy, or 1', () => {
    expect(exchange({})).toMatchObject({ tenant: 'acme', tenantWeight: 1 });
    expect(exchange({ policy: sloPolicy({ weight: 2.5 }) }).tenantWeight).toBe(2.5);
  });

  it('will produce what all its answers do', () => {
    expect(exchange({}).predictedOutput).toEqual({ p50: 200, p90: 600 });
  });
});
