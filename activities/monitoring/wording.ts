/** Corrections in words, for the rows that keep them and for Temporal's UI. */
import { assertNever } from '../../core/domain/errors.ts';
import type { StepTimeCoefficients } from '../../core/domain/step-time.ts';
import type { CorrectionChange } from '../../core/profiler/monitor/correction.ts';
import { percent } from '../../core/profiler/monitor/detector.ts';

/** What a correction does, in one line. */
export function describeChange(change: CorrectionChange): string {
  switch (change.kind) {
    case 'recalibrate-lengths':
      return `predicted lengths of model ${change.model}${change.class === null ? '' : `, class ${change.class},`} multiplied by ${change.factor}`;
    case 'recalibrate-step-time':
      return `step time of replica ${change.replicaId} multiplied by ${describeFactors(change.factors, change.factor)}`;
    case 'limit-admission':
      return `gateways fill ${percent(change.kvShare)} of the KV cache of replica ${change.replicaId} and open ${percent(change.maxInFlightShare)} of its requests`;
    case 'reshape-engine':
      return `deployment ${change.deployment} rolled out with ${flagsOf(change)}`;
    case 'carry-step-time':
      return `step time of ${change.model} on ${change.tensorParallel} ${change.accelerator} planned with ${describeFactors(change.factors, change.scale)} times its calibration`;
    case 'rebalance':
      return `a rebalance asked for, for model ${change.model}`;
    default:
      return assertNever(change);
  }
}

/** Those that are not 1; one for all where all are the same. */
function describeFactors(factors: StepTimeCoefficients | undefined, all: number): string {
  const told = Object.entries(factors ?? {}).filter(([, factor]) => factor !== 1);
  return told.length === 0 || new Set(Object.values(factors!)).size === 1
    ? String(all)
    : `${all} (${told.map(([term, factor]) => `${term} ${factor}`).join(', ')})`;
}

/** The engine's flags that a new shape sets. */
export function reshapedFlags({
  memoryUtilisation,
  maxSequences,
}: Extract<CorrectionChange, { kind: 'reshape-engine' }>): Record<string, number> {
  return { 'gpu-memory-utilization': memoryUtilisation, ...(maxSequences === null ? {} : { 'max-num-seqs': maxSequences }) };
}

function flagsOf(change: Extract<CorrectionChange, { kind: 'reshape-engine' }>): string {
  return Object.entries(reshapedFlags(change))
    .map(([flag, value]) => `${flag} ${value}`)
    .join(' and ');
}
