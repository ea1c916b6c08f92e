/**
 * Monitoring against faults that happen to a cluster while it serves: three engines, chat traffic at about half of what they can do, the
 * production scheduler and profiler. Each fault with the monitor and without; where the scheduler copes by itself, the name says so.
 */
import { describe, expect, it } from 'vitest';
import { measuredStepTime } from '../domain/step-time.ts';
import type { FindingKind } from '../profiler/monitor/correction.ts';
import { furthestRatio } from '../profiler/shapes.ts';
import { schedulerPolicy } from '../scheduler/registry.ts';
import { type ClusterResult, simulateCluster } from './cluster.ts';
import { type EngineFault, type Fault, withLongerOutputs } from './faults.ts';
import type { MonitorOptions } from './monitored.ts';
import { createPredictor, type OutputPredictor } from './predictors.ts';
import { simulatedRequests } from './requests.ts';
import type { SimulatedRequest } from './simulated-request.ts';
import { sloFileSchema } from './slo-classes.ts';
import { chatWorkload, type WorkloadOptions } from './workload.ts';

const { classes } = sloFileSchema.parse({
  classes: [
    { name: 'interactive', share: 0.6, ttftMs: 1000, tpotMs: 50, priority: 100 },
    { name: 'standard', share: 0.25, ttftMs: 3000, tpotMs: 100 },
    { name: 'batch', share: 0.15, e2eMs: 60_000, priority: -1 },
  ],
});
const STEP_TIME = measuredStepTime('llama-3.1-8b', 'A100-80G-SXM', 1)!.coefficients;
const IDS = ['r0', 'r1', 'r2'];
/** They serve 21 requests a second within the SLO. */
const replicas = (kvCacheTokens: number) =>
  IDS.map((id) => ({
    id,
    stepTime: STEP_TIME,
    kvCacheTokens,
    maxContextTokens: 32_768,
    maxSequences: 256,
    maxBatchedTokens: 2048,
    scheduling: 'fcfs' as const,
    prefixBlockTokens: null,
    usdPerHour: null,
  }));

/** As in production. */
const learning = () => createPredictor('learned');
/** The last snapshot stays in force: right for this traffic as long as it stays what it was. */
const steady = (): OutputPredictor => ({ predict: () => ({ p50: 167, p90: 401 }), observe: () => undefined });

const FAULT_MS = 121_000;
const END_MS = 302_000;

interface Scenario extends Partial<WorkloadOptions> {
  requestsPerSecond: number;
  kvCacheTokens?: number;
  faults?: Fault[];
  policy?: string;
  predictor?: () => OutputPredictor;
  endMs?: number;
}

interface Ran {
  requests: SimulatedRequest[];
  result: ClusterResult;
}

function run(scenario: Scenario, seed: number, monitor?: MonitorOptions): Ran {
  const { kvCacheTokens = 100_000, faults = [], policy = 'uellm', predictor = steady, endMs = END_MS } = scenario;
  const trace = [];
  for (const request of chatWorkload({ seed, ...scenario })) {
    if (request.arrivalMs > endMs) break;
    trace.push(request);
  }
  const longer = faults.flatMap((fault) => (fault.kind === 'longer-outputs' ? [fault] : []));
  const ofEngines = faults.filter((fault): fault is EngineFault => fault.kind !== 'longer-outputs');
  const requests = simulatedRequests(withLongerOutputs(trace, longer, 1), { classes, rateScale: 1, seed });
  const result = simulateCluster({
    requests,
    replicas: replicas(kvCacheTokens),
    policy: schedulerPolicy(policy),
    predictor: predictor(),
    seed,
    stepNoise: 0.05,
    engineStateAgeMs: 200,
    streamDelayMs: 0,
    modelFactor: 1,
    faults: ofEngines,
    ...(monitor ? { monitor } : {}),
  });
  return { requests, result };
}

/** Of the requests of all runs that arrived in a time. */
function share(runs: readonly Ran[], fromMs: number, endMs: number, is: (request: SimulatedRequest) => boolean): number {
  const arrived = runs.flatMap(({ requests }) => requests.filter((r) => r.arrivalMs >= fromMs && r.arrivalMs < endMs));
  return arrived.filter(is).length / arrived.length;
}

const attained = (r: SimulatedRequest) => r.attained;
/** A minute before the fault, without those that were still running when it came. */
const attainedBefore = (runs: readonly Ran[]) => share(runs, FAULT_MS - 80_000, FAULT_MS - 20_000, attained);
const attainedAfter = (runs: readonly Ran[]) => share(runs, FAULT_MS + 60_000, FAULT_MS + 180_000, attained);

/** When it was first found; infinite where it was not. */
function foundAtMs({ result }: Ran, kinds: FindingKind[]): number {
  return result.looks.find((look) => look.findings.some(({ kind }) => kinds.includes(kind)))?.atMs ?? Number.POSITIVE_INFINITY;
}

const changes = ({ result }: Ran) => result.looks.flatMap((look) => look.begin.map(({ change }) => change));

/** With the monitor and without, over these seeds; found by it within a minute, and attainment back within 5 points. */
function compare(scenario: Scenario, seeds: number[], kinds: FindingKind[]): { watched: Ran[]; alone: Ran[] } {
  const watched = seeds.map((seed) => run(scenario, seed, {}));
  const alone = seeds.map((seed) => run(scenario, seed));
  for (const one of watched) {
    const foundMs = foundAtMs(one, kinds);
    expect(foundMs).toBeGreaterThan(FAULT_MS);
    expect(foundMs).toBeLessThanOrEqual(FAULT_MS + 60_000);
  }
  expect(attainedAfter(watched)).toBeGreaterThanOrEqual(attainedBefore(watched) - 0.05);
  return { watched, alone };
}

const slow = (replicaId: string, factor: number): Fault => ({ kind: 'slow-steps', atMs: FAULT_MS, replicaId, factor });
const smaller = (replicaId: string, share: number): Fault => ({ kind: 'smaller-kv-cache', atMs: FAULT_MS, replicaId, share });
const deadly = (replicaId: string, kvUsage: number): Fault => ({
  kind: 'out-of-memory',
  atMs: FAULT_MS,
  replicaId,
  kvUsage,
  restartMs: 15_000,
});

describe('steps that take longer', () => {
  it('twice as long on one engine: the scheduler copes alone, the monitor tells of it, corrects it and does no harm', () => {
    const { watched, alone } = compare({ requestsPerSecond: 12, predictor: learning, faults: [slow('r0', 2)] }, [3], ['step-time']);
    expect(attainedAfter(alone)).toBeGreaterThanOrEqual(attainedBefore(alone) - 0.05);
    for (const one of watched) {
      expect(changes(one)).toEqual([{ kind: 'recalibrate-step-time', replicaId: 'r0', factor: expect.closeTo(2, 0.5) }]);
      expect(one.result.looks.some((look) => look.keep.length === 1)).toBe(true);
    }
  });

  it('five times as long on one engine, more than the scheduler makes up for: the monitor matters', () => {
    const { watched, alone } = compare({ requestsPerSecond: 11, faults: [slow('r0', 5)] }, [1], ['step-time']);
    expect(attainedAfter(watched) - attainedAfter(alone)).toBeGreaterThan(0.02);
  });

  it('three times as long to read the KV cache on one engine: that coefficient is corrected and no other', () => {
    const fault: Fault = { kind: 'slow-steps', atMs: FAULT_MS, replicaId: 'r0', factor: 3, term: 'd2' };
    const one = run({ requestsPerSecond: 12, predictor: learning, faults: [fault] }, 3, {});
    const made = changes(one).filter((c) => c.kind === 'recalibrate-step-time');
    expect(made.map(({ replicaId }) => replicaId)).toEqual(made.map(() => 'r0'));
    const { stepTime } = one.result.replicas[0]!;
    expect(stepTime.d2 / STEP_TIME.d2).toBeGreaterThan(2);
    const truth = { ...STEP_TIME, d2: 3 * STEP_TIME.d2 };
    expect(Math.abs(Math.log(furthestRatio(stepTime, truth)))).toBeLessThan(Math.log(1.2));
  });

  it('twice as long on all engines of a model: the monitor matters', () => {
    const { watched, alone } = compare({ requestsPerSecond: 6.5, faults: IDS.map((id) => slow(id, 2)) }, [1, 2], ['step-time']);
    expect(attainedAfter(watched) - attainedAfter(alone)).toBeGreaterThan(0.03);
    for (const one of watched) expect(changes(one).filter((c) => c.kind === 'recalibrate-step-time')).toHaveLength(3);
  });
});

describe('outputs three times as long', () => {
  const faults: Fault[] = [{ kind: 'longer-outputs', atMs: FAULT_MS, class: null, factor: 3 }];
  const covered = (runs: readonly Ran[]) =>
    share(runs, FAULT_MS + 60_000, FAULT_MS + 180_000, (r) => r.outputTokens <= r.predictedOutput.p90);
  const preempted = (runs: readonly Ran[]) =>
    runs.reduce((sum, { result }) => sum + result.replicas.reduce((all, r) => all + r.preemptions, 0), 0);

  it('with a profiler that learns: scheduler and learner cope alone', () => {
    const scenario = { requestsPerSecond: 8, predictor: learning, faults };
    const alone = [run(scenario, 1)];
    const watched = [run(scenario, 1, {})];
    expect(attainedAfter(alone)).toBeGreaterThanOrEqual(attainedBefore(alone) - 0.05);
    expect(attainedAfter(watched)).toBeGreaterThanOrEqual(attainedBefore(watched) - 0.05);
  });

  it('with a profiler that is away: attainment holds alone, but predictions and memory come right only by the monitor', () => {
    const { watched, alone } = compare({ requestsPerSecond: 6.5, kvCacheTokens: 60_000, faults }, [1], ['output-length']);
    expect(covered(alone)).toBeLessThan(0.5);
    expect(covered(watched)).toBeGreaterThan(0.8);
    expect(preempted(watched)).toBeLessThan(preempted(alone) / 2);
    for (const one of watched) expect(changes(one)[0]).toMatchObject({ kind: 'recalibrate-lengths' });
  });
});

describe('a KV cache that has become smaller', () => {
  it('by half on one engine: the monitor matters', () => {
    const { watched, alone } = compare(
      { requestsPerSecond: 12, kvCacheTokens: 50_000, faults: [smaller('r0', 0.5)] },
      [6],
      ['preemptions', 'kv-under-allocation'],
    );
    expect(attainedAfter(watched) - attainedAfter(alone)).toBeGreaterThan(0.02);
    for (const one of watched) expect(changes(one)[0]).toMatchObject({ kind: 'limit-admission', replicaId: 'r0' });
  });

  it('by more than half on all engines: the monitor matters much', () => {
    const { watched, alone } = compare(
      { requestsPerSecond: 10.5, kvCacheTokens: 60_000, faults: IDS.map((id) => smaller(id, 0.4)) },
      [1, 2],
      ['preemptions'],
    );
    expect(attainedAfter(watched) - attainedAfter(alone)).toBeGreaterThan(0.1);
  });
});

describe('an engine that ends for want of memory when it is loaded', () => {
  const failed = (runs: readonly Ran[]) =>
    runs.reduce((sum, { requests }) => sum + requests.filter((r) => r.outcome === 'failed').length, 0);

  it('one of three: alone it ends again and again, with the monitor only until it has found how much it holds', () => {
    const { watched, alone } = compare(
      { requestsPerSecond: 12, kvCacheTokens: 50_000, predictor: learning, faults: [deadly('r0', 0.4)] },
      [1],
      ['out-of-memory'],
    );
    expect(attainedAfter(watched) - attainedAfter(alone)).toBeGreaterThan(0.03);
    expect(failed(watched)).toBeLessThan(failed(alone) / 3);
    const ends = ({ result }: Ran) => result.replicas[0]!.generation - 1;
    expect(ends(watched[0]!)).toBeLessThan(ends(alone[0]!) / 2);
    const seenEnding = watched[0]!.result.looks.filter((look) => look.findings.some(({ kind }) => kind === 'out-of-memory'));
    expect(seenEnding.at(-1)!.atMs).toBeLessThan(FAULT_MS + 90_000);
  });

  it('all of them: alone none stays up, with the monitor all do', () => {
    const { watched, alone } = compare(
      { requestsPerSecond: 8, kvCacheTokens: 80_000, faults: IDS.map((id) => deadly(id, 0.5)) },
      [7],
      ['out-of-memory'],
    );
    expect(attainedAfter(alone)).toBeLessThan(0.1);
    expect(changes(watched[0]!).filter((c) => c.kind === 'limit-admission').length).toBeGreaterThanOrEqual(3);
  });
});

describe('a monitor', () => {
  it('corrects nothing in twenty minutes of a healthy cluster under bursts', () => {
    const bursts = { diurnal: { amplitude: 0.6, periodSeconds: 150 } };
    const { result } = run({ requestsPerSecond: 11, predictor: learning, endMs: 1_200_000, ...bursts }, 1, {});
    expect(result.looks).toEqual([]);
    expect(result.endMs).toBeGreaterThan(1_190_000);
  });

  it('that finds nothing changes nothing', () => {
    const outcome = ({ requests }: Ran) => requests.map((r) => [r.replica, r.releasedMs, r.endMs]);
    expect(outcome(run({ requestsPerSecond: 12, endMs: 100_000 }, 1, {}))).toEqual(
      outcome(run({ requestsPerSecond: 12, endMs: 100_000 }, 1)),
    );
  });

  it('undoes a correction that cannot help: of a gauge that says twice, whatever it is told', () => {
    const stuck = {
      alter: (e: Parameters<NonNullable<MonitorOptions['alter']>>[0]) => ({
        ...e,
        replicas: e.replicas.map((r) => ({ ...r, stepTimeRatio: r.replicaId === 'r0' ? 2 : 1 })),
      }),
    };
    const ran = run({ requestsPerSecond: 12 }, 1, stuck);
    expect(changes(ran)).toHaveLength(1);
    expect(ran.result.looks.flatMap((look) => look.end)).toMatchObject([{ reason: expect.stringContaining('did not help') }]);
    expect(ran.result.replicas[0]!.stepTime.d0).toBeCloseTo(STEP_TIME.d0, 9);
  });

  it('undoes limits that a policy does not heed', () => {
    const faults = IDS.map((id) => smaller(id, 0.3));
    const ran = run({ requestsPerSecond: 11, kvCacheTokens: 50_000, policy: 'shortest-predicted-ttft', faults }, 1, {});
    expect(changes(ran).some((c) => c.kind === 'limit-admission')).toBe(true);
    expect(ran.result.looks.flatMap((look) => look.end).length).toBeGreaterThan(0);
    for (const { kvCacheTokens } of ran.result.replicas) expect(kvCacheTokens).toBe(50_000);
  });
});
