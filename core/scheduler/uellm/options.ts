/** The constants of `uellm`, each with what it is for. Found by simulation of production traces; the bench's ablations switch terms off. */

export interface UellmOptions {
  /**
   * A replica's predicted time per output token may reach this share of the tightest target there. Below 1: a target is a mean over the
   * request, but the batch still grows after it was admitted.
   */
  tpotMargin: number;
  /** And it may exceed its prediction by so many standard deviations. */
  tpotDeviations: number;
  /** A step with all the prompts released to it may take so many times the tightest TPOT target: more of them wait at the gateway. */
  promptsPerStep: number;
  /** The first token is planned to come so long before it is due: network, and half a step of bad luck. */
  ttftSafetyMs: number;
  /** Spared requests take their place in the queue so many times their prompt's time before the others that are due then. */
  headStart: number;
  /** Give up on time, by Moore and Hodgson's rule, what cannot all make it; otherwise only what is hopeless by itself. */
  demotesAhead: boolean;
  /** Weight of what a request costs on a replica, against what it costs there typically: sends it where it is cheap (speed, cached prefix). */
  costWeight: number;
  /** Weight of what a prompt takes from those that decode there: sends prompt-heavy requests away from decode-heavy batches. */
  disturbanceWeight: number;
  /** A replica that gets through so many times as much at a looser TPOT target may be kept for it (`tiers.ts`). 0: none is. */
  tierGain: number;
  /** Requests of tighter targets keep off it until this share of their time is left. */
  tierPatience: number;
  /** A length of prompt whose share in time falls below so many times the overall share is demoted no further, as long as others are. 0: off. */
  lengthFairness: number;
  /** Of the releases, so many may go to those that have aged, so that a flood of them does not make everyone late. */
  agedShare: number;
  /** Demoted requests go to replicas that are filled to less than this share, and whose TPOT stays under `backgroundTpot` of the target. */
  backgroundFill: number;
  backgroundTpot: number;
  /** Each difference of so many in priority halves the odds of being demoted. */
  priorityHalving: number;
  /** Quantile of the remaining length that KV cache is kept for, and the share of the cache that may be promised. */
  memoryQuantile: number;
  memoryShare: number;
}

export const UELLM_DEFAULTS: UellmOptions = {
  tpotMargin: 0.97,
  tpotDeviations: 1,
  promptsPerStep: 1,
  ttftSafetyMs: 20,
  headStart: 1,
  demotesAhead: true,
  costWeight: 1,
  disturbanceWeight: 2,
  tierGain: 1.35,
  tierPatience: 0.5,
  lengthFairness: 0.6,
  agedShare: 0.5,
  backgroundFill: 0.5,
  backgroundTpot: 0.8,
  priorityHalving: 200,
  memoryQuantile: 0.15,
  memoryShare: 1,
};
