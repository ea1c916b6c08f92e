/** So many hours back requests may be replayed, for a what-if or the report of a pilot. */
export const MOST_REPLAY_HOURS = 168;
