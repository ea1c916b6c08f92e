/**
 * For how long a host has been silent while somebody looked, milliseconds. Silence is added up look by look, and a look proves no more than the
 * time that it waits for: hours in which nobody looked, because the control plane was away or a clock jumped, prove nothing.
 * @param before null where this look is the first that failed: it made the host suspect
 * @param sinceLastLookMs by the clock
 * @param lookMs what one look at a silent host takes
 */
export function watchedSilence(before: number | null, sinceLastLookMs: number, lookMs: number): number {
  if (before === null) return 0;
  return before + Math.min(Math.max(0, sinceLastLookMs), lookMs);
}
