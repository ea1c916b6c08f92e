/** What is odd about a trace and yet usable: told beside the requests, so that whoever reads a result knows what it rests on. */
import type { TraceRequest } from './rows.ts';

export interface TraceNotes {
  /** Rows that arrive before the row above them in the file; they are sorted. */
  outOfOrder: number;
  /** Rows that equal an earlier one in all that the trace says of them (arrival, lengths, prefix, class, prompt); they are kept. */
  duplicates: number;
  /** The longest time between two arrivals, seconds; 0 with a single request. */
  longestGapSeconds: number;
  /** Names that rows have and that the format does not know, and in how many rows. */
  unreadFields: Record<string, number>;
}

/** @param requests by arrival; `unread` in how many rows each field was that the format does not know */
export function traceNotes(requests: readonly TraceRequest[], outOfOrder: number, unread: ReadonlyMap<string, number>): TraceNotes {
  let duplicates = 0;
  let longestGapMs = 0;
  for (let from = 0; from < requests.length; ) {
    const { arrivalMs } = requests[from]!;
    let to = from + 1;
    while (to < requests.length && requests[to]!.arrivalMs === arrivalMs) to++;
    // Only rows that arrive together can be equal: in most traces nearly no row is written out for this.
    if (to - from > 1) duplicates += to - from - new Set(requests.slice(from, to).map((request) => JSON.stringify(request))).size;
    if (to < requests.length) longestGapMs = Math.max(longestGapMs, requests[to]!.arrivalMs - arrivalMs);
    from = to;
  }
  return { outOfOrder, duplicates, longestGapSeconds: longestGapMs / 1000, unreadFields: Object.fromEntries(unread) };
}
