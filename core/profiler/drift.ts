/**
 * Notices that answers have become longer or shorter than they were (Page's cumulative sums, Biometrika 41, 1954), so that learning starts
 * afresh instead of averaging old and new for a thousand observations.
 */
import type { OutputHead } from './snapshot.ts';

/** Of the usual residual: what is tolerated at each step, and how much has to pile up. Chance alone takes some 100,000 steps to it. */
const TOLERANCE = 0.5;
const THRESHOLD = 14;
/** The usual residual is not known before this many observations. */
const LEAST_OBSERVATIONS = 100;

/**
 * Counts one residual of ln(output tokens) in, in place.
 * @param usual mean absolute residual where nothing has changed
 * @returns true where it shows a change
 */
export function detectDrift(head: OutputHead, residual: number, usual: number): boolean {
  const drift = head.drift ?? { longer: 0, shorter: 0, sinceChange: head.observations, changes: 0 };
  head.drift = drift;
  drift.sinceChange++;
  if (drift.sinceChange < LEAST_OBSERVATIONS) return false;
  const surprise = residual / (1.25 * usual);
  drift.longer = Math.max(0, drift.longer + surprise - TOLERANCE);
  drift.shorter = Math.max(0, drift.shorter - surprise - TOLERANCE);
  if (drift.longer < THRESHOLD && drift.shorter < THRESHOLD) return false;
  head.drift = { longer: 0, shorter: 0, sinceChange: 0, changes: drift.changes + 1 };
  return true;
}
