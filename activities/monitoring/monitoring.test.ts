/** One look after another on a real database: what gateways and hosts left there, what the monitor makes of it, and what becomes of replicas. */
import { desc, eq, sql } from 'drizzle-orm';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { deploymentSpecSchema } from '../../core/domain/deployment.ts';
import { UellmError } from '../../core/domain/errors.ts';
import { hostSpecSchema } from '../../core/domain/fleet.ts';
import { plan } from '../../core/placement/planner.ts';
import type { ReplicaGauges } from '../../core/profiler/monitor/evidence.ts';
import { renewLease } from '../../db/queries/leases.ts';
import { outOfMemoryExits } from '../../db/queries/monitoring-exits.ts';
import { insertObservations } from '../../db/queries/observations.ts';
import { stepTimeProfiles as stepTimes, upsertStepTimeProfile } from '../../db/queries/profiler.ts';
import { currentRoutingVersion, loadRoutingTable } from '../../db/queries/routing.ts';
import {
  acceleratorClaims,
  audit,
  corrections,
  deployments,
  gatewayLeases,
  hosts,
  monitorMemory,
  observations,
  proposals,
  replicas,
  revisions,
  rollouts,
  stepTimeProfiles,
} from '../../db/schema/index.ts';
import { createTestDatabase, type TestDatabase } from '../../test/support/database.ts';
import { anObservation } from '../../test/support/observations.ts';
import { aReplica } from '../../test/support/rows.ts';
import type { LengthRecalibration } from '../deps.ts';
import { type ControlActivities, createControlActivities } from '../index.ts';

let database: TestDatabase;
let activities: ControlActivities;
const db = () => database.connection.db;

const began = Date.now();
let nowMs = began;
let asked: LengthRecalibration[] = [];
let profiler: (recalibration: LengthRecalibration) => Promise<void>;

beforeAll(async () => {
  database = await createTestDatabase();
  activities = createControlActivities({
    db: db(),
    now: () => nowMs,
    newId: () => 'id',
    plan: async (input) => plan(input),
    profileShapes: async () => [],
    recalibrateLengths: (recalibration) => profiler(recalibration),
  });
});
afterAll(() => database.drop());

const STEP = { d0: 10, d1: 0.1, d2: 0.001, ra: 0.01, rc: 0.02, rb: 1e-6, o: 1 };

beforeEach(async () => {
  const tables = [gatewayLeases, acceleratorClaims, replicas, hosts, observations, corrections, monitorMemory, audit, rollouts, revisions];
  for (const table of [...tables, deployments, proposals, stepTimeProfiles]) await db().delete(table);
  nowMs = began;
  asked = [];
  profiler = async (recalibration) => {
    asked.push(recalibration);
  };
  await aReplica(db(), { id: 'r1', stepTime: STEP, kvCacheTokens: 1000 });
});

const GAUGES: ReplicaGauges = { stepTimeRatio: null, kvUsage: 0.3, expectedKvUsage: 0.3, preemptions: 0, running: 1, waiting: 0 };

async function tell(gauges: Partial<ReplicaGauges>): Promise<void> {
  const lease = { gatewayId: 'g1', address: 'http://127.0.0.1:1', routingVersion: 1e9, inFlight: { r1: 4 }, unhealthy: {} };
  await renewLease(db(), { ...lease, gauges: { r1: { ...GAUGES, ...gauges } } });
}

let sequence = 0;
/** So many answers that ended in the last seconds, each so many times as long as its predicted median. */
async function answer(count: number, ratio: number, fields: Parameters<typeof anObservation>[1] = {}): Promise<void> {
  const rows = Array.from({ length: count }, (_, i) =>
    anObservation(`q${sequence++}`, {
      ...{ acceptedAtMs: nowMs - 20_000 - i * 10, e2eMs: 15_000, replicaId: 'r1', attained: true },
      ...{ outputTokens: Math.round(100 * ratio), predictedOutputP50: 100, predictedOutputP90: 180, ...fields },
    }),
  );
  await insertObservations(db(), rows);
}

async function look(afterSeconds = 10) {
  nowMs += afterSeconds * 1000;
  return activities.lookAtCluster();
}

const rows = () => db().select().from(corrections).orderBy(desc(corrections.id));
const routed = async () => (await loadRoutingTable(db())).replicas[0]!;

describe('a look at a cluster', () => {
  it('of which all is as predicted changes nothing', async () => {
    await tell({ stepTimeRatio: 1.05 });
    await answer(60, 1);
    const version = await currentRoutingVersion(db());
    expect(await look()).toEqual({ findings: [], done: [], active: 0, toStart: [] });
    expect(await rows()).toEqual([]);
    expect(await currentRoutingVersion(db())).toBe(version);
  });

  it('corrects the step time of a slow replica in the routing table, and puts it back when the replica is as before', async () => {
    const version = await currentRoutingVersion(db());
    await tell({ stepTimeRatio: 3 });
    await answer(30, 1, { attained: false });
    expect((await look()).findings).toEqual([expect.stringMatching(/replica r1: steps take 300 %/)]);
    const second = await look();
    expect(second).toMatchObject({ active: 1, done: [expect.stringMatching(/^step time of replica r1 multiplied by 3/)] });
    expect((await routed()).stepTime.d0).toBeCloseTo(30, 9);
    expect(await currentRoutingVersion(db())).toBe(version + 1);
    expect((await rows())[0]).toMatchObject({
      kind: 'step-time',
      subject: 'replica r1',
      state: 'active',
      attainmentBefore: 0,
      evidence: { stepTimeRatio: 3, message: expect.stringContaining('300 %') },
      change: { kind: 'recalibrate-step-time', factor: 3, before: { stepTime: STEP } },
    });

    // The fault is gone: against the corrected coefficients its steps are now too quick.
    await tell({ stepTimeRatio: 1 / 3 });
    for (let i = 0; i < 30 && (await rows())[0]!.undoneAt === null; i++) {
      await answer(30, 1);
      await tell({ stepTimeRatio: 1 / 3 });
      await look();
    }
    expect((await rows())[0]).toMatchObject({
      state: 'undone',
      attainmentAfter: 1,
      undoReason: expect.stringMatching(/did not help|take again what they took before/),
    });
    expect((await routed()).stepTime).toEqual(STEP);
    expect(await currentRoutingVersion(db())).toBe(version + 2);
  });

  it('has planning follow what the replicas of a shape agree on, and go back with them', async () => {
    const shape = { model: 'llama-3.1-8b', accelerator: 'H100-SXM', tensorParallel: 1 };
    await upsertStepTimeProfile(db(), { ...shape, source: 'calibrated', coefficients: STEP, errorPercent: 2, replicaId: 'r1' });
    await aReplica(db(), { id: 'r2', accelerators: [1], stepTime: STEP, kvCacheTokens: 1000 });
    const lookFor = async (seconds: number, stepTimeRatio: number) => {
      const done: string[] = [];
      for (let i = 0; i < seconds / 10; i++) {
        const gauges = { r1: { ...GAUGES, stepTimeRatio }, r2: { ...GAUGES, stepTimeRatio } };
        const inFlight = { r1: 4, r2: 4 };
        await renewLease(db(), {
          gatewayId: 'g1',
          address: 'http://127.0.0.1:1',
          routingVersion: 1e9,
          inFlight,
          unhealthy: {},
          gauges,
        });
        done.push(...(await look()).done);
      }
      return done;
    };
    expect(await lookFor(140, 1.2)).toEqual([
      'step time of llama-3.1-8b on 1 H100-SXM planned with 1.2 times its calibration: ' +
        'llama-3.1-8b on 1 H100-SXM: steps take 120 % of what calibration found, say 2 of 2 replicas',
    ]);
    const [profile] = await stepTimes(db());
    expect(profile).toMatchObject({ ...shape, errorPercent: 2, replicaId: 'r1' });
    expect(profile!.coefficients.d0).toBeCloseTo(12);
    expect(await rows()).toMatchObject([
      {
        kind: 'step-time',
        subject: 'shape llama-3.1-8b on 1 H100-SXM',
        state: 'kept',
        evidence: { scale: 1.2, replicas: 2, message: expect.stringContaining('120 %') },
        change: { kind: 'carry-step-time', scale: 1.2 },
      },
    ]);
    expect(await lookFor(140, 1)).toEqual([expect.stringMatching(/^undone, step time of .* steps take again what calibration found$/)]);
    expect((await stepTimes(db()))[0]!.coefficients).toEqual(STEP);
    expect(await rows()).toMatchObject([{ state: 'undone', undoReason: 'steps take again what calibration found' }]);
  });

  it('corrects the one coefficient that steps show to be off, and puts it back', async () => {
    const slowKv = { ...STEP, d2: 3 * STEP.d2 };
    await tell({ stepTimeRatio: 1.3, stepTimeFit: slowKv });
    await answer(30, 1);
    await look();
    expect((await look()).done).toEqual([expect.stringMatching(/^step time of replica r1 multiplied by [\d.]+ \(d2 3\): /)]);
    expect((await routed()).stepTime).toEqual({ ...STEP, d2: expect.closeTo(slowKv.d2, 9) });
    const [row] = await rows();
    expect(row!.change).toMatchObject({ factors: { d0: 1, d2: 3 }, before: { stepTime: STEP } });
    for (let i = 0; i < 30 && (await rows())[0]!.undoneAt === null; i++) {
      await tell({ stepTimeRatio: 0.7, stepTimeFit: STEP });
      await answer(30, 1);
      await look();
    }
    expect((await routed()).stepTime).toEqual(STEP);
  });

  it('limits what gateways send to an engine that evicts requests', async () => {
    await tell({ preemptions: 40, kvUsage: 0.97, waiting: 3 });
    await answer(30, 1);
    await look();
    await tell({ preemptions: 40, kvUsage: 0.97 });
    await look();
    const { kvShare } = await routed();
    expect(kvShare).toBeLessThan(1);
    expect((await rows())[0]).toMatchObject({ kind: 'preemptions', change: { before: { kvShare: 1, maxInFlightShare: 1 } } });
  });

  it('passes over what gateways said that are gone', async () => {
    await tell({ stepTimeRatio: 3 });
    await db().update(gatewayLeases).set({ renewedAt: sql`now() - interval '20 seconds'` });
    await look();
    await look();
    expect(await rows()).toEqual([]);
  });
});

describe('lengths', () => {
  const longer = async () => {
    await answer(60, 2.5);
    await look();
    return look();
  };

  it('are recalibrated by the profiler, under the correction’s own id', async () => {
    expect(await longer()).toMatchObject({ active: 1, toStart: [] });
    const [row] = await rows();
    expect(row).toMatchObject({ kind: 'output-length', subject: expect.stringContaining('llama-3.1-8b'), state: 'active' });
    expect(row!.change).toMatchObject({ pending: null });
    expect(asked).toEqual([
      { model: 'llama-3.1-8b', class: 'standard', factor: 2.5, correctionId: (row!.change as { correctionId: string }).correctionId },
    ]);
    await look();
    expect(asked).toHaveLength(1);
  });

  it('are not held to be wrong by answers that were cut by their own limit', async () => {
    await answer(60, 0.5, { maxTokens: 50, predictedOutputP50: 50, predictedOutputP90: 50 });
    await look();
    expect((await look()).findings).toEqual([]);
  });

  it('are recalibrated by the next look when the profiler was away, or the look was cut off before it', async () => {
    profiler = async () => {
      throw new UellmError({ kind: 'unavailable', what: 'the profiler', reason: 'refused' });
    };
    const report = await longer();
    expect(report.done).toContainEqual(expect.stringMatching(/^not yet, predicted lengths .* the profiler is unavailable/));
    expect((await rows())[0]!.change).toMatchObject({ pending: 'apply' });
    profiler = async (recalibration) => {
      asked.push(recalibration);
    };
    await look();
    expect(asked).toHaveLength(1);
    expect((await rows())[0]!.change).toMatchObject({ pending: null });
  });

  it('that the profiler refuses are a failed correction, with its words', async () => {
    profiler = async () => {
      throw new UellmError({ kind: 'not-found', what: 'model', name: 'llama-3.1-8b' });
    };
    await longer();
    expect((await rows())[0]).toMatchObject({ state: 'failed', undoReason: expect.stringContaining('llama-3.1-8b') });
    await look();
    expect(asked).toEqual([]);
  });

  it('go back by the inverse when that did not help', async () => {
    await longer();
    for (let i = 0; i < 40 && (await rows())[0]!.state === 'active'; i++) {
      await answer(60, 2.5);
      await look();
    }
    expect((await rows())[0]).toMatchObject({ state: 'undone', change: { pending: null } });
    const [apply] = asked;
    expect(asked.slice(-2)).toEqual([apply, { ...apply, factor: 1 / 2.5, correctionId: `${apply!.correctionId} undone` }]);
  });
});

describe('an engine out of memory', () => {
  const exited = (generation: number, detail: string) => ({
    ...{ replicaId: 'r1', generation, endpoint: '', state: 'exited' as const },
    detail: `${detail}; its log ends with:\nbye`,
  });

  beforeEach(async () => {
    await db()
      .insert(hosts)
      .values({ name: 'h1', spec: hostSpecSchema.parse({ name: 'h1', accelerators: [{ kind: 'H100-SXM', count: 1 }], simulated: true }) });
  });

  it('is told from one that ended otherwise, and counts once', async () => {
    await activities.reconcileHost('h1', [exited(1, 'exited with code 1')]);
    expect(await outOfMemoryExits(db(), ['r1'], new Date(began - 60_000))).toEqual(new Map());
    for (let i = 0; i < 2; i++) await activities.reconcileHost('h1', [exited(1, 'exited with SIGKILL')]);
    // An old generation's, read late.
    await activities.reconcileHost('h1', [exited(7, 'exited with SIGKILL')]);
    expect(await outOfMemoryExits(db(), ['r1'], new Date(began - 60_000))).toEqual(new Map([['r1', 1]]));
    await activities.beginGeneration('r1', 2, 'again', 'exited with SIGKILL');
    await activities.beginGeneration('r1', 3, 'again', 'exited with code 1 after: CUDA out of memory. Tried to allocate 2 GiB; its log');
    await activities.beginGeneration('r1', 4, 'again', 'exited with code 1');
    expect(await outOfMemoryExits(db(), ['r1'], new Date(began - 60_000))).toEqual(new Map([['r1', 2]]));
    const [newest] = await db().select().from(audit).orderBy(desc(audit.id));
    expect(newest).toMatchObject({
      actor: 'host:h1',
      action: 'out-of-memory',
      name: 'r1',
      after: { generation: 2, reason: expect.stringMatching(/CUDA/) },
    });
  });

  it('is not held against one that is being stopped', async () => {
    await db().update(replicas).set({ state: 'draining' });
    await activities.reconcileHost('h1', [exited(1, 'exited with SIGKILL')]);
    expect(await db().select().from(audit)).toEqual([]);
  });

  it('is sent less at once', async () => {
    await tell({ kvUsage: 0.9 });
    await look(1);
    await activities.reconcileHost('h1', [exited(1, 'exited with SIGKILL')]);
    await tell({ kvUsage: 0 });
    const report = await look(1);
    expect(report.done).toEqual([
      expect.stringMatching(/^gateways fill \d+ % of the KV cache of replica r1 and open \d+ % .*want of memory/),
    ]);
    expect((await routed()).maxInFlightShare).toBeLessThan(1);
  });

  it('in shadow mode is only written down', async () => {
    const shadow = deploymentSpecSchema.parse({ name: 'chat', model: 'llama-3.1-8b', engine: { kind: 'vllm' }, mode: 'shadow' });
    await db().insert(deployments).values({ name: 'chat', spec: shadow });
    await tell({ kvUsage: 0.9 });
    await look(1);
    await activities.reconcileHost('h1', [exited(1, 'exited with SIGKILL')]);
    await tell({ kvUsage: 0 });
    expect((await look(1)).done).toEqual([expect.stringMatching(/^skipped: the deployment is in shadow mode, gateways fill/)]);
    expect(await rows()).toMatchObject([{ state: 'failed', undoReason: 'skipped: the deployment is in shadow mode' }]);
    expect((await db().select().from(replicas))[0]).toMatchObject({ kvShare: 1, maxInFlightShare: 1 });
  });

  describe('again', () => {
    const spec = (args: Record<string, number>, declared: object = {}) =>
      deploymentSpecSchema.parse({ name: 'chat', model: 'llama-3.1-8b', engine: { kind: 'vllm', args }, ...declared });
    async function deployed(args: Record<string, number>, declared = args, mode = 'auto'): Promise<void> {
      await db()
        .insert(deployments)
        .values({ name: 'chat', spec: spec(declared, { mode }), latestRevision: 1, currentRevision: 1 });
      await db()
        .insert(revisions)
        .values({ deployment: 'chat', number: 1, spec: spec(args) });
    }
    async function outTwice() {
      await tell({ kvUsage: 0.9 });
      await look(1);
      await activities.reconcileHost('h1', [exited(1, 'exited with SIGKILL')]);
      await look(1);
      await db().update(replicas).set({ generation: 2 });
      await activities.reconcileHost('h1', [exited(2, 'exited with SIGKILL')]);
      return look(1);
    }
    const reshape = async () => (await rows()).find((r) => r.kind === 'out-of-memory' && r.change?.kind === 'reshape-engine');

    it('is started in another shape, by a rollout of what serves with other flags; a look that is repeated makes no second', async () => {
      await deployed({ 'max-model-len': 4096 }, { 'max-model-len': 8192 });
      const { toStart } = await outTwice();
      expect(toStart).toEqual([{ kind: 'rollout', correctionId: (await reshape())!.id, rolloutId: 'chat-r2' }]);
      expect((await look(1)).toStart).toEqual(toStart);
      const [revision] = await db().select().from(revisions).where(eq(revisions.number, 2));
      expect(revision!.spec.engine.args).toMatchObject({ 'max-model-len': 4096, 'gpu-memory-utilization': 0.82 });
      expect(await db().select().from(rollouts)).toMatchObject([
        { id: 'chat-r2', revision: 2, fromRevision: 1, workflowId: 'deploy-chat-r2' },
      ]);
      const [deployment] = await db().select().from(deployments);
      expect(deployment!.spec.engine.args).toEqual({ 'max-model-len': 8192 });
      await activities.recordCorrectionStarted(toStart[0]!.correctionId);
      expect(await reshape()).toMatchObject({ state: 'kept', change: { pending: null, rolloutId: 'chat-r2' } });
      expect((await look(1)).toStart).toEqual([]);
    });

    it('in advise mode waits for an operator, who may approve the rollout or decline it', async () => {
      await deployed({}, {}, 'advise');
      const { toStart } = await outTwice();
      const correctionId = (await reshape())!.id;
      expect(toStart).toEqual([
        {
          kind: 'proposal',
          correctionId,
          proposalId: 'id',
          summary: expect.stringMatching(/^deployment chat rolled out with gpu-memory-utilization/),
        },
      ]);
      expect((await look(1)).toStart).toEqual(toStart);
      await activities.recordCorrectionStarted(correctionId);
      expect((await look(1)).toStart).toEqual([]);
      expect(await db().select().from(rollouts)).toEqual([]);
      expect(await activities.proposalStatus('id')).toMatchObject({ state: 'open', reasons: [expect.stringMatching(/want of memory/)] });
      await db().update(proposals).set({ state: 'approved' });
      const begun = { step: 'rollout', rolloutId: 'chat-r2', correctionId };
      for (let i = 0; i < 2; i++) expect(await activities.beginProposal('id')).toEqual(begun);
      expect(await db().select().from(rollouts)).toMatchObject([{ id: 'chat-r2', revision: 2 }]);
    });

    it('overrules no flag of the operator: the correction fails and says what to change', async () => {
      await deployed({ 'gpu-memory-utilization': 0.95 });
      const { toStart, done } = await outTwice();
      expect(toStart).toEqual([]);
      expect(done).toContainEqual(expect.stringMatching(/^failed, .*it declares gpu-memory-utilization: 0.95/));
      expect(await reshape()).toMatchObject({
        state: 'failed',
        undoReason: expect.stringMatching(/set gpu-memory-utilization: 0\.87.* in engine\.args, and roll out/),
      });
      expect(await db().select().from(rollouts)).toEqual([]);
    });

    it('waits while another rollout of the deployment runs', async () => {
      await deployed({});
      const status = { phase: 'running' as const, stage: 'plan' as const, reason: '', stages: [], planId: null };
      await db().insert(rollouts).values({ id: 'chat-r1', deployment: 'chat', revision: 1, workflowId: 'deploy-chat-r1', status });
      const { toStart, done } = await outTwice();
      expect(toStart).toEqual([]);
      expect(done).toContainEqual(expect.stringMatching(/^not yet, .*rollout chat-r1 is running/));
      await db().update(rollouts).set({ endedAt: new Date() });
      expect((await look(1)).toStart).toMatchObject([{ kind: 'rollout', rolloutId: 'chat-r2' }]);
    });
  });
});
