/** What a detector is. Each file beside this one that ends in `Detector` has one; `monitor.ts` asks them all. */
import type { CorrectionChange, Finding, FindingKind } from './correction.ts';
import type { Evidence, ReplicaEvidence } from './evidence.ts';
import { type MonitorMemory, replicaSubject } from './memory.ts';

export interface Suspicion {
  finding: Finding;
  /** What would correct it; null where it is only to be told. */
  change: CorrectionChange | null;
}

export interface Detector {
  kind: FindingKind;
  /** It must be found in so many looks in a row. */
  looks: number;
  /** What it finds in the evidence of this look. */
  detect(evidence: Evidence, memory: MonitorMemory): Suspicion[];
  /** How far off the subject of a correction is, with what is in force: 0 is as predicted. null where the evidence does not say. */
  deviation(change: CorrectionChange, evidence: Evidence, memory: MonitorMemory): number | null;
  /** A correction has helped when at most this share of the deviation is left, or `tolerated`. */
  leaves: number;
  tolerated: number;
}

export function ofReplica(change: CorrectionChange, { replicas }: Evidence): ReplicaEvidence | null {
  return 'replicaId' in change ? (replicas.find(({ replicaId }) => replicaId === change.replicaId) ?? null) : null;
}

export function replicaFinding(kind: FindingKind, replicaId: string, message: string, figures: Finding['figures']): Finding {
  return { kind, subject: replicaSubject(replicaId), message: `${replicaSubject(replicaId)}: ${message}`, figures };
}

export const percent = (share: number) => `${Math.round(100 * share)} %`;
/** Two decimals: factors and shares in messages and in what is applied. */
export const rounded = (value: number) => Math.round(value * 100) / 100;
