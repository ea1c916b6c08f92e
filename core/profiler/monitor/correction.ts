/** What the monitor does about a finding. Each is applied once, kept as a row with its evidence, and undone when it does not help. */
import type { StepTimeCoefficients } from '../../domain/step-time.ts';

export type CorrectionChange =
  /** The profiler's lengths of a model, or of one class of it, are multiplied at once; it learns on from there. */
  | { kind: 'recalibrate-lengths'; model: string; class: string | null; factor: number }
  /**
   * A replica's step-time coefficients are multiplied, relative to what was in force before: each by its own of the `factors`, where its steps
   * tell them apart, so that some load takes `factor` times as long; else all by `factor`.
   */
  | { kind: 'recalibrate-step-time'; replicaId: string; factor: number; factors?: StepTimeCoefficients }
  /** A replica's admission: the share of its nominal KV cache that gateways may fill, and the requests that they may have open there. */
  | { kind: 'limit-admission'; replicaId: string; kvShare: number; maxInFlightShare: number }
  /** A deployment's engines are started anew in another shape, by a rolling deploy. */
  | { kind: 'reshape-engine'; deployment: string; memoryUtilisation: number; maxSequences: number | null }
  /** The placement no longer fits: ask for a rebalance. */
  | { kind: 'rebalance'; model: string }
  /**
   * The coefficients of a shape's step-time profile are so many times their calibration, as live steps say, and its decode steps at the reference
   * load `scale` times; `shape-step-time.ts` decides it.
   */
  | { kind: 'carry-step-time'; model: string; accelerator: string; tensorParallel: number; scale: number; factors: StepTimeCoefficients };

export type FindingKind = 'output-length' | 'step-time' | 'kv-over-allocation' | 'kv-under-allocation' | 'preemptions' | 'out-of-memory';

/** Something is not as predicted. */
export interface Finding {
  kind: FindingKind;
  /** `model <name>`, `model <name> class <class>`, `replica <id>` or `shape <model> on <width> <accelerator kind>`. */
  subject: string;
  /** For people, with figures and units. */
  message: string;
  /** The figures behind it, with units in their names. */
  figures: Record<string, number>;
}

/** A correction in force, as the monitor remembers it. */
export interface ActiveCorrection {
  id: string;
  finding: Finding;
  change: CorrectionChange;
  sinceMs: number;
  /** Of the requests concerned: share that attained their SLO when it began; null where too few were judged. */
  attainmentBefore: number | null;
  /** How far off it was when it began, by the finding's own measure; 0 is as predicted. */
  deviationBefore: number;
  /** It has helped: no longer on trial. */
  kept: boolean;
  /** What was in force before and comes back when this is undone; null where nothing was. */
  replaces: Pick<ActiveCorrection, 'finding' | 'change' | 'deviationBefore'> | null;
}

/** What one look at the evidence decides. Pure: `(memory, evidence) -> { memory, ... }`. */
export interface Verdict {
  findings: Finding[];
  /** To be undone now, before anything begins: what is replaced is undone and its successor begins in the same look. */
  end: { id: string; reason: string }[];
  /** To be applied now. The id is new and the same however often the look is repeated. */
  begin: { id: string; finding: Finding; change: CorrectionChange }[];
  /** On trial until now, and they have helped. Lengths that were recalibrated are then the learner's own, and never undone. */
  keep: { id: string; reason: string }[];
}
