import { describe, expect, it } from 'vitest';
import type { DeploymentSloPricesItem, SloPriceItem } from '../../../api/schema/index.ts';
import { comparedTpotMs, dearest, dollars, missingOnFleet, ownPrice, priceAt, utilisationTone } from './cost.ts';

it.each([
  [null, 'unknown'],
  [0, '$0.00'],
  [0.00123, '$0.0012'],
  [12.345, '$12.35'],
  [-2.5, '−$2.50'],
])('%j is written %s', (amount, text) => expect(dollars(amount)).toBe(text));

describe('prices side by side', () => {
  const level = (tpotMs: number | undefined, usdPerHour: number | null, own = false): SloPriceItem => ({
    ...{ targets: tpotMs === undefined ? null : { tpotMs, attainment: 0.9 }, own, usdPerHour, usdPerThousandRequests: null },
    ...{ replicas: [], refusal: null, presentFleet: { holds: true, usdPerHour, refusal: null } },
  });
  const of = (...levels: SloPriceItem[]): DeploymentSloPricesItem => ({
    ...{ deployment: 'd', demand: { requestsPerSecond: 1, inputTokens: 1, outputTokens: 1 } },
    levels,
  });
  const chat = of(level(30, 9), level(50, 5, true), level(100, 3));
  const code = of(level(30, null), level(50, 2), level(100, 1), level(undefined, 1, true));

  it('have a column for every level that is not just a deployment’s own', () => {
    expect(comparedTpotMs([chat, code])).toEqual([30, 50, 100]);
    expect(comparedTpotMs([of(level(70, 1, true))])).toEqual([]);
  });

  it('are found by TPOT, the own one too', () => {
    expect([priceAt(chat, 50)?.usdPerHour, priceAt(chat, 70), ownPrice(chat)?.usdPerHour, ownPrice(code)?.usdPerHour]).toEqual([
      5,
      undefined,
      5,
      1,
    ]);
    expect([dearest(chat), dearest(of(level(30, null)))]).toEqual([9, 0]);
  });

  it('say what the present fleet lacks, where there is a price at all', () => {
    const refusal = { kind: 'waiting' as const, on: 'accelerators' as const, subject: 'd', message: 'full', nearest: '2 more' };
    const short = { ...level(30, 9), presentFleet: { holds: false, usdPerHour: null, refusal } };
    expect([missingOnFleet(short), missingOnFleet(level(30, 9)), missingOnFleet({ ...short, refusal })]).toEqual(['2 more', null, null]);
  });
});

it('utilisation warns before it is too much', () => {
  expect([0.5, 0.95, 1.01].map(utilisationTone)).toEqual(['good', 'warn', 'bad']);
});
