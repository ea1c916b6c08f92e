/** Why a request went where it went: made only for those that ask, shown as it is in headers, logs and the simulator. */

export interface Explanation {
  policy: string;
  /** Why this request, now. */
  because: string;
  replica: string;
  waitedMs: number;
  /** Every replica that was looked at, the chosen one among them. */
  considered: Considered[];
}

export interface Considered {
  replica: string;
  /** From now to the first token there. */
  ttftMs: number;
  /** Between its tokens there, in the batch as it would be. */
  tpotMs: number;
  inFlight: number;
  /** `chosen`, or what spoke against it. */
  verdict: string;
}
