/** How sure a share of so many observations is. */

/** A chance of less than one in so many counts as none: several subjects are looked at several times a minute. */
const ODDS = 2000;

/**
 * Is a share of `observed` among `count` independent observations more than chance makes of `expected`? By Chernoff's bound on the
 * binomial tail, P(X >= observed n) <= exp(-n KL(observed, expected)): no less strict than the exact test.
 */
export function isSurelyAbove(observed: number, expected: number, count: number): boolean {
  return observed > expected && count * divergence(observed, expected) > Math.log(ODDS);
}

export function isSurelyBelow(observed: number, expected: number, count: number): boolean {
  return observed < expected && count * divergence(observed, expected) > Math.log(ODDS);
}

/** Kullback and Leibler's, of two coins. */
function divergence(p: number, q: number): number {
  return term(p, q) + term(1 - p, 1 - q);
}

function term(p: number, q: number): number {
  return p === 0 ? 0 : p * Math.log(p / q);
}
