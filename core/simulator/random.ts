/** Randomness that is passed in: the same seed gives the same numbers on every machine. */

/** Uniform in [0, 1). */
export type Random = () => number;

/** A generator of its own for a seed (sfc32, 128 bits of state, as in PractRand). */
export function createRandom(seed: number | string): Random {
  const text = String(seed);
  let a = hash32(text);
  let b = hash32(`${text}:b`);
  let c = hash32(`${text}:c`);
  let counter = 1;
  const random = () => {
    const t = (((a + b) | 0) + counter) | 0;
    counter = (counter + 1) | 0;
    a = b ^ (b >>> 9);
    b = (c + (c << 3)) | 0;
    c = (((c << 21) | (c >>> 11)) + t) | 0;
    return (t >>> 0) / 4_294_967_296;
  };
  // The first outputs of related seeds resemble each other.
  for (let i = 0; i < 12; i++) random();
  return random;
}

/** Standard normal, by Box and Muller. */
export function normal(random: Random): number {
  return Math.sqrt(-2 * Math.log(1 - random())) * Math.cos(2 * Math.PI * random());
}

/** Lognormal with the given median; `sigma` is the standard deviation of its logarithm. */
export function lognormal(random: Random, median: number, sigma: number): number {
  return median * Math.exp(sigma * normal(random));
}

/** FNV-1a over UTF-16 code units with murmur3's finaliser: spreads well, is not secret. */
export function hash32(text: string): number {
  let hash = 0x811c9dc5;
  for (let i = 0; i < text.length; i++) hash = Math.imul(hash ^ text.charCodeAt(i), 0x01000193);
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b);
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35);
  return (hash ^ (hash >>> 16)) >>> 0;
}
