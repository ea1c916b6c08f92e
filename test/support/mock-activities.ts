/**
 * Typed stand-ins for every activity, for tests of workflows alone. They keep the little state that the workflows read back, record their
 * calls in order, and fail or hold where a test says so.
 */

import { Context } from '@temporalio/activity';
import { toFailure } from '../../activities/failures.ts';
import type { BegunProposal, ControlActivities, HostActivities, LookReport, ProposalStatus } from '../../activities/index.ts';
import { type DeploymentSpec, deploymentSpecSchema } from '../../core/domain/deployment.ts';
import { UellmError } from '../../core/domain/errors.ts';
import { KNOWN_CONFIGS, modelShape } from '../../core/domain/model-spec.ts';
import type { PlaceMove, PlanSummary } from '../../core/domain/plan.ts';
import type { Refusal } from '../../core/domain/refusal.ts';
import type { ReplicaState } from '../../core/domain/replica.ts';
import type { RolloutStatus } from '../../core/domain/rollout.ts';
import type { CanaryVerdict } from '../../core/profiler/monitor/canary-analysis.ts';
import type { Turn } from '../../db/queries/rollouts.ts';

type Name = keyof ControlActivities | keyof HostActivities;

export interface MockWorld {
  calls: { name: Name; args: unknown[] }[];
  /** Living replicas by id, in the order of their placing. */
  replicas: Map<string, { revision: number; host: string; state: string; weight: number; engine: boolean }>;
  rollout: { spec: DeploymentSpec; revision: number; ended: RolloutStatus | null };
  /** Throw this from the activity, so many times. */
  fail: Partial<Record<Name, { error: Error; times: number }>>;
  /** These run twice whenever they are called; `all` does. */
  twice: Set<Name> | 'all' | null;
  plans: PlanSummary[];
  /** What a rollout is told of its turn, the next first; then to begin. */
  turns: Turn[];
  /** What canaries are found to be, the next look first; then good. */
  verdicts: CanaryVerdict[];
  /** Why its engines cannot be reloaded, the next look first; then they can. */
  reloadRefusals: Refusal[];
  /** Ids of the replicas that some move is taking away. */
  moving: Set<string>;
  /** What a rebalance leaves alone. */
  holds: Refusal[];
  /** The proposal, whichever is asked for; and what beginning it comes to, the next first, then that it is over. */
  proposal: ProposalStatus;
  begins: BegunProposal[];
  hostService: string;
  /** What looks at the cluster report, the next first; then nothing. */
  looks: LookReport[];
  activities: ControlActivities & HostActivities;
}

export const NOTHING_LEFT = { finished: 0, retried: 0, dropped: 0, open: 0, gatewaysLost: 0, unknown: 0 };
const STEP = { d0: 1, d1: 0, d2: 0, ra: 0, rc: 0, rb: 0, o: 1 };
const shape = modelShape('llama-3.1-8b', KNOWN_CONFIGS['llama-3.1-8b']!, 'bf16');

export function engineFailed(reason: string): UellmError {
  return new UellmError({ kind: 'engine-failed', replicaId: 'r', reason });
}

/** @param rollout what the deployment says of its rollout, e.g. `{ approval: 'manual' }` */
export function createMockWorld(rollout: Record<string, unknown> = {}): MockWorld {
  const kind = rollout.strategy === 'reload' ? 'triton' : 'simulated';
  const spec = deploymentSpecSchema.parse({ name: 'chat', model: 'llama-3.1-8b', engine: { kind }, rollout });
  const world: MockWorld = {
    calls: [],
    replicas: new Map(),
    rollout: { spec, revision: 2, ended: null },
    fail: {},
    twice: null,
    plans: [],
    turns: [],
    verdicts: [],
    reloadRefusals: [],
    moving: new Set(),
    holds: [],
    proposal: {
      ...{ deployment: 'chat', state: 'open', summary: 'chat from h1 to h2', reasons: [], outlook: null, decidedBy: null, outcome: '' },
      begun: false,
      expiresAtMs: Date.now() + 3_600_000,
    },
    begins: [],
    hostService: 'schedulable',
    looks: [],
    activities: undefined as never,
  };
  const idsOf = (revision: number, which: 'this' | 'others', state?: string) =>
    [...world.replicas]
      .filter(([, r]) => (r.revision === revision) === (which === 'this') && (!state || r.state === state))
      .map(([id, r]) => ({ id, host: r.host }));
  const update = (id: string, change: Partial<{ state: string; weight: number; engine: boolean }>) => {
    const replica = world.replicas.get(id);
    if (replica) Object.assign(replica, change);
  };
  const weightsBefore = new Map<string, number>();
  let plannedRevision = world.rollout.revision;
  /** What is missing of a revision that is wanted back. */
  const placesOfOld = (revision: number) => (idsOf(revision, 'this', 'ready').length > 0 ? [] : [place('old-again', 'h1')]);
  let planned: PlanSummary = { planId: '', places: [], retires: [], waiting: [], summary: '' };
  const activities: ControlActivities & HostActivities = {
    loadRollout: async (id) => ({
      id,
      deployment: 'chat',
      revision: world.rollout.revision,
      fromRevision: 1,
      spec,
      status: {} as RolloutStatus,
    }),
    recordRolloutStatus: async () => {},
    endRollout: async (_, status) => {
      world.rollout.ended ??= status;
      return status.phase === 'succeeded' ? idsOf(world.rollout.revision, 'others').map((r) => r.id) : [];
    },
    resolveModel: async () => ({ shape, detail: '8.0 B parameters' }),
    takeTurn: async () => world.turns.shift() ?? { turn: 'begin' },
    endOrphanedRollout: async () => {},
    watchCanary: async ({ forMs, sort }) => {
      const verdict = world.verdicts.shift() ?? { verdict: 'good', why: 'as before' };
      const context = Context.current();
      const untilMs = Date.now() + (sort === 'due' || verdict.verdict === 'bad' ? 0 : forMs);
      while (Date.now() < untilMs) {
        context.heartbeat();
        await context.sleep(Math.min(200, untilMs - Date.now()));
      }
      return verdict;
    },
    currentTimeMs: async () => 0,
    profileModel: async () => 'L4 x1',
    planPlacement: async (request) => {
      const plan = world.plans.shift() ?? {
        planId: request.planId,
        places: request.revision === undefined ? [place('new-1', 'h2')] : placesOfOld(request.revision),
        retires: [],
        waiting: [],
        summary: 'places new-1 on h2',
      };
      planned = { ...plan, planId: request.planId };
      plannedRevision = request.revision ?? world.rollout.revision;
      return planned;
    },
    applyPlan: async () => {
      const { places, retires } = planned;
      for (const { replicaId, host } of places)
        world.replicas.set(replicaId, { revision: plannedRevision, host, state: 'reserved', weight: 0, engine: false });
      for (const id of [...places.map((p) => p.replaces), ...retires.map((r) => r.replicaId)]) if (id) world.moving.add(id);
      return { reserved: places.map((p) => p.replicaId), retiring: retires.map((r) => r.replicaId), trimmed: [] };
    },
    endMoves: async (ids) => {
      for (const id of ids) world.moving.delete(id);
    },
    abandonMoves: async () => {},
    rebalanceHolds: async () => world.holds,
    deploymentsToProposeFor: async () => [],
    proposeMoves: async () => ({ open: null, withdrawn: null }),
    proposalStatus: async () => world.proposal,
    beginProposal: async () => world.begins.shift() ?? { step: 'over' },
    endProposal: async (_, state, outcome) => {
      Object.assign(world.proposal, { state, outcome });
    },
    engineSpec: async (replicaId) => ({
      ...{
        replicaId,
        generation: 1,
        host: world.replicas.get(replicaId)?.host ?? 'h2',
        engine: 'simulated',
        deployment: 'chat',
        model: 'llama-3.1-8b',
      },
      ...{ source: 'hf://a/b', dtype: 'bf16', shape, accelerators: [0], acceleratorKind: 'L4', tensorParallel: 1, args: {} },
      ...{ stepTime: STEP, kvCacheTokens: 1000, maxSequences: 8 },
    }),
    checkReload: async () => ({
      targets: [...world.replicas].flatMap(([replicaId, { revision, host }]) =>
        revision === world.rollout.revision
          ? []
          : [{ replicaId, host, revision, weights: { engine: 'triton' as const, replicaId, source: 'hf://a/b' } }],
      ),
      refusal: world.reloadRefusals.shift() ?? null,
    }),
    reloadSpecs: async (replicaId, revision) => {
      const spec = await activities.engineSpec(replicaId);
      return {
        to: { revision, spec: { ...spec, generation: 6 } },
        from: { revision: world.replicas.get(replicaId)!.revision, spec: { ...spec, generation: 11 } },
      };
    },
    recordReloaded: async ({ spec, revision }, engine) => {
      const replica = world.replicas.get(spec.replicaId);
      if (!replica || replica.state === 'draining') return false;
      Object.assign(replica, { revision, state: engine ? 'ready' : 'starting' });
      return true;
    },
    setReplicaState: async (id, state) => update(id, { state }),
    beginGeneration: async (id) => update(id, { state: 'starting' }),
    recordServing: async (engine) => update(engine.replicaId, { state: 'warming' }),
    rerouteReplica: async (id) => update(id, { state: 'ready' }),
    routeReplicas: async (weights) => {
      for (const [id, weight] of Object.entries(weights)) update(id, { state: 'ready', weight });
    },
    isRouted: async (id) => world.replicas.get(id)?.state === 'ready' && (world.replicas.get(id)?.weight ?? 0) > 0,
    servingReplicas: async (_, revision, which) => idsOf(revision, which, 'ready').map((r) => r.id),
    livingReplicas: async (_, revision, which) => idsOf(revision, which),
    replicasOfDeleted: async () => idsOf(0, 'others'),
    unrouteReplica: async (id) => {
      const before = world.replicas.get(id);
      if (before && before.state !== 'draining') weightsBefore.set(id, before.weight);
      update(id, { state: 'draining', weight: 0 });
      return { routingVersion: 1, sinceMs: 0, host: world.replicas.get(id)?.host ?? 'h2', generation: 1 };
    },
    routeAsBefore: async (id) => {
      if (world.replicas.get(id)?.state === 'draining') update(id, { state: 'ready', weight: weightsBefore.get(id) ?? 0 });
    },
    awaitRequestsFinished: async () => ({ ...NOTHING_LEFT, finished: 3 }),
    endReplica: async (id) => {
      world.replicas.delete(id);
    },
    recordAlive: async () => 'alive',
    reconcileHost: async () => ({ restore: [], orphans: [], standing: 'alive' }),
    recordSilence: async (_, liveness) => ({ liveness, together: null, replicas: 0, unrouted: [] }),
    abandonReplica: async () => false,
    setHostService: async (_, service) => {
      world.hostService = service;
    },
    replicasOnHost: async (host) =>
      [...world.replicas]
        .filter(([, r]) => r.host === host)
        .map(([id, r]) => ({
          ...{ id, state: r.state as ReplicaState, leaving: world.moving.has(id) },
          replicaId: id,
          open: 0,
          gatewaysBehind: [],
        })),
    recordDrained: async () => {
      world.hostService = 'drained';
    },
    lookAtCluster: async () => world.looks.shift() ?? { findings: [], done: [], active: 0, toStart: [] },
    recordCorrectionStarted: async () => {},
    fetchWeights: async () => 'no weights',
    startEngine: async (engine) => {
      update(engine.replicaId, { engine: true });
      return 'http://127.0.0.1:1';
    },
    awaitEngineReady: async () => {},
    isEngineReady: async (id) => world.replicas.get(id)?.engine ?? false,
    isEngineRunning: async (id) => world.replicas.get(id)?.engine ?? false,
    stopEngine: async (id) => {
      update(id, { engine: false });
      return { requestsDropped: 0 };
    },
    reloadEngine: async () => ({ endpoint: 'http://127.0.0.1:1', chat: null }),
    calibrateEngine: async () => ({ stepTime: STEP, sound: true, errorPercent: 1, kvCacheTokens: 1000, chat: null }),
    readLog: async (id, lines) => ({ source: id ?? 'host worker', lines: ['first', 'last'].slice(-lines) }),
    reportPresence: async () => ({ engines: [], digest: '' }),
  };
  world.activities = recorded(world, activities);
  return world;
}

/** Activities of whichever world is the current one, so that one worker serves every test of a suite. */
export function delegating(current: () => MockWorld): ControlActivities & HostActivities {
  const names = Object.keys(createMockWorld().activities) as Name[];
  const call =
    (name: Name) =>
    (...args: unknown[]) =>
      (current().activities[name] as (...args: unknown[]) => Promise<unknown>)(...args);
  return Object.fromEntries(names.map((name) => [name, call(name)])) as unknown as ControlActivities & HostActivities;
}

export function place(replicaId: string, host: string, replaces?: string): PlaceMove {
  return {
    ...{ kind: 'place', replicaId, deployment: 'chat', revision: 2, model: 'llama-3.1-8b', engine: 'simulated', host, accelerators: [0] },
    ...{ acceleratorKind: 'L4', tensorParallel: 1, simulated: true, capacityRequestsPerSecond: 1, reason: 'a test' },
    ...(replaces ? { replaces } : {}),
  } as PlaceMove;
}

function recorded<A extends object>(world: MockWorld, activities: A): A {
  return Object.fromEntries(
    Object.entries(activities).map(([name, run]) => [
      name,
      async (...args: unknown[]) => {
        world.calls.push({ name: name as Name, args });
        const failure = world.fail[name as Name];
        if (failure && failure.times > 0) {
          failure.times -= 1;
          throw toFailure(failure.error);
        }
        if (world.twice === 'all' || world.twice?.has(name as Name)) await run(...args);
        return run(...args);
      },
    ]),
  ) as A;
}
