import type { ReportedRun } from '../../../core/simulator/run.ts';
import type { Group, Line } from '../grouping.ts';
import type { Targets } from '../header.ts';

/** What the page's functions find inlined as JSON, where a figure that is not finite has become null. */
export interface PageData {
  runs: ReportedRun[];
  lines: Line[];
  groups: Group[];
  targets: Targets;
}
