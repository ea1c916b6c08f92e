/** What goes wrong in a simulated cluster, and when: plain data, the same for every run. Engines that batch statically have no faults. */
import { UellmError } from '../domain/errors.ts';
import type { StepTimeTerm } from '../domain/step-time.ts';
import type { TraceRequest } from './traces/rows.ts';

/** Of an engine. Nobody is told: the gateway goes on with what it knew. */
export type EngineFault =
  /** Its steps take so many times as long; with a `term`, that one coefficient of theirs does. */
  | { kind: 'slow-steps'; atMs: number; replicaId: string; factor: number; term?: StepTimeTerm }
  /** Only this share of its KV cache is left. Who has no more room in it is preempted, or lost where it is too long for what is left. */
  | { kind: 'smaller-kv-cache'; atMs: number; replicaId: string; share: number }
  /** From then on it dies whenever a step ends with more than `kvUsage` of its nominal KV cache in use, and is back after `restartMs`, empty. */
  | { kind: 'out-of-memory'; atMs: number; replicaId: string; kvUsage: number; restartMs: number };

/** Of the traffic: answers of requests that arrive from then on are so many times as long. */
export interface LongerOutputs {
  kind: 'longer-outputs';
  atMs: number;
  /** null: of every class. */
  class: string | null;
  factor: number;
}

export type Fault = EngineFault | LongerOutputs;

/** The trace as it is with those faults. Rows without a class have only those of every class. */
export function withLongerOutputs(
  trace: readonly TraceRequest[],
  faults: readonly LongerOutputs[],
  rateScale: number,
): readonly TraceRequest[] {
  if (faults.length === 0) return trace;
  const startMs = trace[0]?.arrivalMs ?? 0;
  return trace.map((row) => {
    const atMs = (row.arrivalMs - startMs) / rateScale;
    const factor = faults.reduce(
      (product, f) => (atMs >= f.atMs && (f.class ?? row.class) === row.class ? product * f.factor : product),
      1,
    );
    return factor === 1 ? row : { ...row, outputTokens: Math.max(1, Math.round(row.outputTokens * factor)) };
  });
}

/**
 * By their time.
 * @throws invalid-input that names the field of a fault that cannot be
 */
export function inOrder(faults: readonly EngineFault[], replicas: readonly { id: string; static?: unknown }[]): EngineFault[] {
  const ids = replicas.filter((r) => r.static === undefined).map((r) => r.id);
  const issues = faults.flatMap((fault, i) => issuesOf(fault, ids).map((issue) => ({ ...issue, field: `faults[${i}].${issue.field}` })));
  if (issues.length > 0) throw new UellmError({ kind: 'invalid-input', what: 'simulation', issues });
  return [...faults].sort((a, b) => a.atMs - b.atMs);
}

function issuesOf(fault: EngineFault, ids: readonly string[]): { field: string; given: string; allowed: string }[] {
  const isShare = (share: number) => share > 0 && share <= 1;
  const isPositive = (value: number) => value > 0 && Number.isFinite(value);
  const rules: [field: string, given: unknown, isAllowed: boolean, allowed: string][] = [
    ['atMs', fault.atMs, fault.atMs >= 0 && Number.isFinite(fault.atMs), 'milliseconds of at least 0'],
    [
      'replicaId',
      fault.replicaId,
      ids.includes(fault.replicaId),
      `an engine that batches continuously: ${ids.join(', ') || 'there is none'}`,
    ],
  ];
  if (fault.kind === 'slow-steps') rules.push(['factor', fault.factor, isPositive(fault.factor), 'a number above 0']);
  if (fault.kind === 'smaller-kv-cache') rules.push(['share', fault.share, isShare(fault.share), 'above 0, at most 1']);
  if (fault.kind === 'out-of-memory') {
    rules.push(['kvUsage', fault.kvUsage, isShare(fault.kvUsage), 'above 0, at most 1']);
    rules.push(['restartMs', fault.restartMs, isPositive(fault.restartMs), 'milliseconds above 0']);
  }
  return rules
    .filter(([, , isAllowed]) => !isAllowed)
    .map(([field, given, , allowed]) => ({ field, given: JSON.stringify(given), allowed }));
}
