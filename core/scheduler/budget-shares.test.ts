import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type BudgetClaim, grantedShare, LEAST_SHARE } from './budget-shares.ts';

/** Gateways ask in turn, and each sees what the others hold. */
function settle(demands: readonly number[], start: readonly number[], rounds = 3): number[] {
  const claims = demands.map((demand, i): BudgetClaim => ({ demand, held: start[i]! }));
  for (let round = 0; round < rounds; round++) {
    for (const claim of claims)
      claim.held = grantedShare(
        claim.demand,
        claims.filter((other) => other !== claim),
      );
  }
  return claims.map(({ held }) => held);
}

describe('shares of a budget', () => {
  it.each([
    ['alone, all of it', [0], [1], [1]],
    ['nobody is asked: equal', [0, 0, 0, 0], [1, 0.01, 0.01, 0.01], [0.25, 0.25, 0.25, 0.25]],
    ['all are asked alike: equal', [1, 1], [1, 0.01], [0.5, 0.5]],
    ['one is asked: nearly all of it', [1, 0, 0, 0], [0.25, 0.25, 0.25, 0.25], [0.932, 0.0227, 0.0227, 0.0227]],
    ['by demand', [0.9, 0.3], [0.5, 0.5], [0.731, 0.269]],
  ])('%s', (_, demands, start, shares) => {
    expect(settle(demands, start).map((share) => Number(share.toFixed(3)))).toEqual(shares.map((share) => Number(share.toFixed(3))));
  });

  it('waits until others have let go', () => {
    expect(grantedShare(1, [{ held: 1, demand: 0 }])).toBe(LEAST_SHARE);
    expect(grantedShare(1, [{ held: 0.4, demand: 0 }])).toBeCloseTo(0.6, 6);
  });

  it('add up to at most 1, whoever asks when and whatever comes, but for the least that each has', () => {
    const share = fc.double({ min: 0, max: 1, noNaN: true });
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 8 }),
        fc.array(fc.tuple(fc.nat(7), share), { minLength: 1, maxLength: 80 }),
        (gateways, turns) => {
          const claims = Array.from({ length: gateways }, (): BudgetClaim => ({ held: 0, demand: 0 }));
          for (const [who, demand] of turns) {
            const claim = claims[who % gateways]!;
            claim.demand = demand;
            claim.held = grantedShare(
              demand,
              claims.filter((other) => other !== claim),
            );
            expect(claims.reduce((sum, { held }) => sum + held, 0)).toBeLessThanOrEqual(1 + LEAST_SHARE * gateways + 1e-9);
          }
        },
      ),
    );
  });
});
