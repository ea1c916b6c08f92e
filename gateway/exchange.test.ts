import type { ServerResponse } from 'node:http';
import { describe, expect, it } from 'vitest';
import type { Accepted } from './accepted.ts';
import { Exchange, type ExchangeParts } from './exchange.ts';

function exchange(parts: Partial<Accepted>): Exchange {
  const accepted = { prediction: { p50: 100, p90: 300 }, request: { choices: 2 }, tenant: 'acme', tenantWeight: 2.5, ...parts };
  return new Exchange({} as ExchangeParts, accepted as Accepted, {} as ServerResponse);
}

describe('a request as the scheduler sees it', () => {
  it('is of its tenant, with its weight', () => {
    expect(exchange({})).toMatchObject({ tenant: 'acme', tenantWeight: 2.5 });
  });

  it('will produce what all its answers do', () => {
    expect(exchange({}).predictedOutput).toEqual({ p50: 200, p90: 600 });
  });
});
