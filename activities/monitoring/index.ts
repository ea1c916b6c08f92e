/**
 * Monitoring's effects. `lookAtCluster` is one look: it gathers evidence (`evidence.ts`), has the monitor decide, writes its memory and the
 * corrections down and does those of replicas in the same transaction (`decide.ts`), and then carries out the rest (`carry-out.ts`,
 * `reshape.ts`), of this look and of any before it that was cut off.
 */
import { correctionsInForce } from '../../db/queries/monitoring-corrections.ts';
import type { ControlDeps } from '../deps.ts';
import { carryOutPending, settle, type WorkflowToStart } from './carry-out.ts';
import { decide } from './decide.ts';

export type { WorkflowToStart } from './carry-out.ts';

export interface LookReport {
  /** What is not as predicted, one line each. */
  findings: string[];
  /** What was begun, undone, kept, and what could not be carried out, one line each. */
  done: string[];
  /** Corrections in force. */
  active: number;
  toStart: WorkflowToStart[];
}

/** So that the report stays small whatever a fleet is like; the rows have the rest. */
const MOST_LINES = 20;
const LONGEST_LINE = 400;

export function createMonitoringActivities(deps: ControlDeps) {
  return {
    /** Run again after a crash, it makes good what was not carried out. */
    async lookAtCluster(): Promise<LookReport> {
      const { findings, done } = await decide(deps);
      const { toStart, trouble } = await carryOutPending(deps);
      return { findings: short(findings), done: short([...done, ...trouble]), active: await correctionsInForce(deps.db), toStart };
    },

    /** The workflow of a correction has been started. */
    async recordCorrectionStarted(correctionId: number): Promise<void> {
      await settle(deps, correctionId);
    },
  };
}

function short(lines: readonly string[]): string[] {
  const cut = lines.slice(0, MOST_LINES).map((line) => (line.length > LONGEST_LINE ? `${line.slice(0, LONGEST_LINE)}…` : line));
  return lines.length > MOST_LINES ? [...cut, `and ${lines.length - MOST_LINES} more`] : cut;
}
