/**
 * How gateways side by side share a replica: each works out its own part of what may be open there, and all of them from the same rows, so
 * that the parts add up to the whole. A limit is a count of requests or of KV cache tokens. See docs/decisions/0017.
 */

/** What one gateway wants of one replica: what it has open there, and its part of what waits. */
export interface Demand {
  requests: number;
  kvTokens: number;
}

/** What is a gateway's of one replica. */
export interface Share extends Demand {
  /** How many gateways want more than theirs; 0 where this one does not. */
  wanting: number;
}

/** A gateway that wants nothing keeps this much of its equal share free, for whoever comes next. */
const FLOOR = 1 / 8;

/**
 * Max-min fair parts of `limit`, in the order of `demands`: who wants less than its equal share gets what it wants, the others share what that
 * leaves; what nobody wants is split equally. They are whole numbers that add up to `limit`, but none is below 1.
 */
export function fairShares(limit: number, demands: readonly number[]): number[] {
  const floor = Math.max(1, Math.floor((limit / demands.length) * FLOOR));
  const wants = demands
    .map((demand, at) => ({ at, wanted: Math.max(floor, Math.ceil(demand)) }))
    .sort((a, b) => a.wanted - b.wanted || a.at - b.at);
  const shares: number[] = [];
  let left = limit;
  for (const [i, { at, wanted }] of wants.entries()) {
    const share = Math.min(wanted, Math.floor(left / (wants.length - i)));
    shares[at] = share;
    left -= share;
  }
  return shares.map((share, at) => Math.max(1, share + Math.floor((left + at) / shares.length)));
}

/** What an engine says of all that is there, and what of that is the caller's: what it sent or saw end meanwhile may be among it or not. */
export interface Seen {
  all: number;
  ownAtLeast: number;
  ownAtMost: number;
}

/**
 * What a gateway may have open by its share and its engine's word. More than its share while others leave theirs free: of what is free it takes
 * its part, and where nothing is, it goes back to its share as its requests end, or whoever has less would never get there. Less while others
 * have more than their shares there. Down to 1: a gateway may always try.
 * @param wanting gateways that want more than their share; 0 where the present one does not: its share is enough, or it has told of no more yet
 */
export function roomBeside(limit: number, share: number, wanting: number, { all, ownAtLeast, ownAtMost }: Seen): number {
  const part = wanting === 0 ? 0 : Math.floor((limit - all) / wanting);
  const borrowed = part > 0 ? ownAtLeast + part : 0;
  return Math.max(1, Math.min(Math.max(share, borrowed), limit - Math.max(0, all - ownAtMost)));
}

/**
 * The same where gateways do not hear of each other: an equal share is everybody's, and of what is free beyond it each takes its part, or gives
 * its part back while too much is there. All of them together correct what is too much or too little from one look at the engine to the next.
 */
export function shareUnheard(limit: number, gateways: number, { all, ownAtLeast }: Seen): number {
  return Math.max(1, Math.floor(limit / gateways), Math.min(limit, ownAtLeast + Math.floor((limit - all) / gateways)));
}
