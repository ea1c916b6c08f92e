/**
 * Did a correction help? It is judged once, when a whole window of evidence lies behind its start: by its finding's own measure, and by
 * the share of requests that attained their SLO.
 *
 * What made a prediction true is kept, whatever became of attainment: that has other causes. What costs capacity, a limit, is undone where
 * attainment fell; one that keeps an engine alive is not.
 */
import type { ActiveCorrection, CorrectionChange } from './correction.ts';
import { type Detector, ofReplica, percent, rounded } from './detector.ts';
import type { Evidence } from './evidence.ts';
import type { MonitorMemory } from './memory.ts';
import { concernedBy } from './output-length.ts';

/** From its start to the judgement, at least. */
export const TRIAL_MS = 60_000;
/** Evidence from so soon after its start is of both states. */
const SETTLES_MS = 10_000;
/** Waited for attainment as long as this; then its own measure alone decides. */
const FEW_REQUESTS_MS = 180_000;
/** Nothing to judge it by for so long: it goes. */
const NO_EVIDENCE_MS = 900_000;
const LEAST_JUDGED = 20;
/** Of attainment; less is not told from chance. */
const NOTICEABLE = 0.05;

export type Judgement = { keep: boolean; reason: string } | null;

/** null while it is too early, or where there is nothing to judge by. */
export function judge(correction: ActiveCorrection, evidence: Evidence, detector: Detector, memory: MonitorMemory): Judgement {
  const { change, sinceMs, deviationBefore, attainmentBefore, finding } = correction;
  const ageMs = evidence.atMs - sinceMs;
  if (ageMs < TRIAL_MS || evidence.atMs - evidence.windowMs < sinceMs + SETTLES_MS) return null;
  const deviation = detector.deviation(change, evidence, memory);
  const { attainment, judged } = attainmentOf(change, evidence);
  if (deviation === null) return ageMs < NO_EVIDENCE_MS ? null : { keep: false, reason: 'nothing to judge it by' };
  if (attainment === null && ageMs < FEW_REQUESTS_MS) return null;

  const gained = attainment === null || attainmentBefore === null ? 0 : noticeable(attainment - attainmentBefore, attainment, judged);
  const hasHelped = deviation <= Math.max(detector.tolerated, detector.leaves * deviationBefore);
  const attained =
    attainment === null || attainmentBefore === null ? '' : `; attained ${percent(attainmentBefore)} before, ${percent(attainment)} now`;
  const figures = `${finding.kind} off by ${rounded(deviationBefore)} before, ${rounded(deviation)} now${attained}`;
  if (change.kind === 'limit-admission' && finding.kind !== 'out-of-memory' && gained < 0)
    return { keep: false, reason: `costs more than it helps: ${figures}` };
  return hasHelped || gained > 0 ? { keep: true, reason: `helped: ${figures}` } : { keep: false, reason: `did not help: ${figures}` };
}

/** Of the requests that a change concerns. */
export function attainmentOf(change: CorrectionChange, evidence: Evidence): { attainment: number | null; judged: number } {
  const replica = ofReplica(change, evidence);
  const concerned = replica ? [replica] : concernedBy(change, evidence);
  const judged = concerned.reduce((sum, c) => sum + c.judged, 0);
  const attained = concerned.reduce((sum, c) => sum + c.attained, 0);
  return { attainment: judged < LEAST_JUDGED ? null : attained / judged, judged };
}

/** 0 where a difference may be chance, by two standard errors. */
function noticeable(difference: number, share: number, count: number): number {
  const error = Math.sqrt(Math.max(0.01, share * (1 - share)) / count);
  return Math.abs(difference) > Math.max(NOTICEABLE, 2 * error) ? difference : 0;
}
