/** Why a request went where it went, as a header of its answer. */
import type { Explanation } from '../../core/scheduler/explanation.ts';

export const EXPLANATION_HEADER = 'x-uellm-explanation';

/** Clients and proxies take headers of some kilobytes. */
const MAX_CHARACTERS = 4096;
/** Of what is written for people; names are no longer than 63. */
const MAX_TEXT = 256;

/**
 * Compact JSON in ASCII. Of the replicas that were looked at, those with the nearest first token are kept as far as there is room, the
 * chosen one before all others; `leftOut` says how many are not there.
 */
export function explanationHeader(explanation: Explanation): string {
  const chosen = (replica: string) => (replica === explanation.replica ? 0 : 1);
  const considered = explanation.considered
    .map((one) => ({ ...one, verdict: one.verdict.slice(0, MAX_TEXT) }))
    .sort((a, b) => chosen(a.replica) - chosen(b.replica) || a.ttftMs - b.ttftMs);
  const head = { ...explanation, because: explanation.because.slice(0, MAX_TEXT) };
  const text = (count: number) => ascii({ ...head, considered: considered.slice(0, count), leftOut: considered.length - count });
  let room = MAX_CHARACTERS - text(0).length;
  let kept = 0;
  for (const one of considered) {
    room -= ascii(one).length + 1;
    if (room < 0) break;
    kept += 1;
  }
  return text(kept);
}

function ascii(value: unknown): string {
  return JSON.stringify(value).replace(/[^\x20-\x7e]/g, (unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`);
}
