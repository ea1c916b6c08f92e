/** How long plans of large fleets take: each in a process of its own, several rounds, so that none profits from what another warmed up. */
import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { type Spread, spreadOf } from '../support/spread.ts';
import type { LargeFleet, TimedPlan } from './time-plan.ts';

export interface FleetTime extends LargeFleet {
  wallMs: Spread;
  cpuMs: Spread;
  /** Of the plan, which is the same in every round. */
  plan: TimedPlan;
  /** The largest of all rounds. */
  loadBefore: number;
}

const PROGRAM = fileURLToPath(new URL('./time-plan.js', import.meta.url));

export function timeFleet(fleet: LargeFleet, rounds: number): FleetTime {
  const runs = Array.from({ length: rounds }, () => inOwnProcess(fleet));
  return {
    ...fleet,
    wallMs: spreadOf(runs.map((r) => r.wallMs)),
    cpuMs: spreadOf(runs.map((r) => r.cpuMs)),
    plan: runs[0]!,
    loadBefore: Math.max(...runs.map((r) => r.loadBefore)),
  };
}

function inOwnProcess(fleet: LargeFleet): TimedPlan {
  const { stdout, stderr, status } = spawnSync(process.execPath, [PROGRAM, JSON.stringify(fleet)], { encoding: 'utf8' });
  if (status !== 0) throw new Error(`planning ${JSON.stringify(fleet)} failed: ${stderr}`);
  return JSON.parse(stdout) as TimedPlan;
}
