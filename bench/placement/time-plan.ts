/** One plan of a large fleet in a process of its own, whose times it prints: `node time-plan.js '{"hosts":1000,"models":50,"load":0.5,"seed":1}'`. */
import { loadavg } from 'node:os';
import { planFleet } from '../../core/placement/fleet/fleet-plan.ts';
import { loadHighsSolver } from '../../core/placement/fleet/highs.ts';
import { movedAgain } from './again.ts';
import { AS_IN_USE } from './as-in-use.ts';
import { faultsOf } from './audit.ts';
import { largeInstance } from './instances.ts';
import { type HostsUsed, hostsUsed } from './spread.ts';

export interface LargeFleet {
  hosts: number;
  models: number;
  load: number;
  seed: number;
}

export interface TimedPlan {
  wallMs: number;
  /** Processor time of all threads of the process: more than one core would need. */
  cpuMs: number;
  gap: number;
  unmetPerSecond: number;
  replicas: number;
  movedAgain: number;
  spread: HostsUsed;
  faults: string[];
  /** Processes that wanted a core in the minute before. */
  loadBefore: number;
}

export async function timePlan({ hosts, models, load, seed }: LargeFleet): Promise<TimedPlan> {
  const [loadBefore] = loadavg() as [number, number, number];
  const input = largeInstance(seed, { hosts, models, load });
  const solver = await loadHighsSolver();
  const startedMs = performance.now();
  const before = process.cpuUsage();
  const plan = planFleet(input, solver, AS_IN_USE);
  const { user, system } = process.cpuUsage(before);
  return {
    wallMs: performance.now() - startedMs,
    cpuMs: (user + system) / 1000,
    gap: plan.usdPerHour / plan.lowerBoundUsdPerHour - 1,
    unmetPerSecond: plan.unmetPerSecond,
    replicas: plan.replicas.length,
    movedAgain: movedAgain(input, plan, solver),
    spread: hostsUsed(input, plan),
    faults: faultsOf(input, plan),
    loadBefore,
  };
}

const [asked] = process.argv.slice(2);
if (asked !== undefined && process.argv[1] === import.meta.filename) console.log(JSON.stringify(await timePlan(JSON.parse(asked))));
