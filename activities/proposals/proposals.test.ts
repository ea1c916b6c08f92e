/** Proposals on a real database and the real planner: what is written down in which mode, and what becomes of it when it is approved. */
import { eq } from 'drizzle-orm';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { type DeploymentMode, deploymentSpecSchema } from '../../core/domain/deployment.ts';
import { hostSpecSchema } from '../../core/domain/fleet.ts';
import { modelSchema } from '../../core/domain/model-spec.ts';
import { PROPOSAL_HOURS } from '../../core/domain/proposal.ts';
import { plan } from '../../core/placement/planner.ts';
import { holdsOnRebalance } from '../../db/queries/holds.ts';
import { recordHeardOf, setHostService } from '../../db/queries/host-states.ts';
import { loadPlan } from '../../db/queries/plans.ts';
import { listProposals, readProposal, settleProposal } from '../../db/queries/proposals.ts';
import { loadRoutingTable } from '../../db/queries/routing.ts';
import { acceleratorClaims, deployments, hosts, models, plans, proposals, replicas, revisions, rollouts } from '../../db/schema/index.ts';
import { createTestDatabase, type TestDatabase } from '../../test/support/database.ts';
import { aReplica } from '../../test/support/rows.ts';
import { type ControlActivities, createControlActivities } from '../index.ts';

const MODEL = 'llama-3.1-8b';
const STEP = { d0: 10, d1: 0.1, d2: 0.001, ra: 0.01, rc: 0.02, rb: 1e-6, o: 1 };

let database: TestDatabase;
let activities: ControlActivities;
let nowMs: number;
const db = () => database.connection.db;

beforeAll(async () => {
  database = await createTestDatabase();
  activities = createControlActivities({
    db: db(),
    now: () => nowMs,
    newId: () => crypto.randomUUID(),
    plan: async (input) => plan(input),
    profileShapes: async () => [],
    recalibrateLengths: async () => {},
  });
});
afterAll(() => database.drop());

/** Two hosts of four L40S, and a deployment of one replica. */
beforeEach(async () => {
  nowMs = Date.now();
  for (const table of [acceleratorClaims, replicas, plans, proposals, rollouts, revisions, deployments, models, hosts])
    await db().delete(table);
  await db()
    .insert(models)
    .values({ name: MODEL, spec: modelSchema.parse({ name: MODEL, source: 'hf://a/b' }) });
  for (const name of ['h1', 'h2']) {
    const spec = hostSpecSchema.parse({ name, accelerators: [{ kind: 'L40S', count: 4 }], simulated: true });
    await db().insert(hosts).values({ name, spec });
    await recordHeardOf(db(), name, []);
  }
  await declare('advise', 6);
  await db()
    .insert(revisions)
    .values({ deployment: 'chat', number: 1, spec: await specOf() });
  await aReplica(db(), { id: 'r1', acceleratorKind: 'L40S', generation: 3, stepTime: STEP, kvCacheTokens: 100_000, kvShare: 0.5 });
  await db().insert(acceleratorClaims).values({ host: 'h1', accelerator: 0, replicaId: 'r1' });
});

const specOf = async () => (await db().select().from(deployments))[0]!.spec;

/** One replica serves about 5 requests a second. */
async function declare(mode: DeploymentMode, requestsPerSecond: number): Promise<void> {
  const demand = { requestsPerSecond, inputTokens: 1155, outputTokens: 211 };
  const spec = deploymentSpecSchema.parse({ name: 'chat', model: MODEL, engine: { kind: 'simulated' }, demand, mode });
  await db()
    .insert(deployments)
    .values({ name: 'chat', spec, currentRevision: 1 })
    .onConflictDoUpdate({ target: deployments.name, set: { spec } });
  // What serves is planned for, with the demand of its revision.
  await db().update(revisions).set({ spec });
}

async function approve(id: string): Promise<void> {
  await settleProposal(db(), await readProposal(db(), id), {
    state: 'approved',
    outcome: '',
    decidedBy: 'ann',
    decidedAt: new Date(nowMs),
  });
}
const all = async () => (await listProposals(db(), { limit: 100 })).items;
const living = async () => (await db().select().from(replicas)).filter((r) => r.endedAt === null);

describe('a deployment in advise mode', () => {
  it('gets a proposal with its moves, its money and until when it may be approved; nothing is reserved', async () => {
    expect(await activities.deploymentsToProposeFor()).toEqual(['chat']);
    const { open } = await activities.proposeMoves('chat', 'p1');
    expect(open).toEqual({ id: 'p1', summary: expect.stringMatching(/^rebalance chat: chat on h/) });
    const [proposal] = await all();
    expect(proposal).toMatchObject({
      ...{ id: 'p1', kind: 'rebalance', state: 'open', planId: 'p1', basis: { revision: 1, generations: {} } },
      ...{ reasons: [expect.stringMatching(/6\.0 req\/s forecast/)], moves: [{ kind: 'place', deployment: 'chat' }] },
    });
    expect(proposal!.expiresAt.getTime()).toBe(nowMs + PROPOSAL_HOURS * 3_600_000);
    expect(await living()).toHaveLength(1);
    expect((await loadPlan(db(), 'p1')).state).toBe('dry-run');
    expect(await holdsOnRebalance(db())).toMatchObject([{ deployment: 'chat', refusal: { kind: 'waiting', on: 'mode' } }]);
    // Asked again, and planned again with the same result, it is the same.
    for (const id of ['p1', 'p2']) expect((await activities.proposeMoves('chat', id)).open?.id).toBe('p1');
    expect(await all()).toHaveLength(1);
  });

  it('gets another in the place of one that the planner would not make any more, and none where it needs none', async () => {
    await activities.proposeMoves('chat', 'p1');
    await declare('advise', 11);
    expect(await activities.proposeMoves('chat', 'p2')).toMatchObject({ open: { id: 'p2' }, withdrawn: 'p1' });
    expect(await readProposal(db(), 'p1')).toMatchObject({ state: 'withdrawn', outcome: expect.stringMatching(/proposes something else/) });
    await declare('advise', 3);
    expect(await activities.proposeMoves('chat', 'p3')).toEqual({ open: null, withdrawn: 'p2' });
    expect(await all()).toHaveLength(2);
  });

  it('is not asked again for what was declined, before that would have expired', async () => {
    await activities.proposeMoves('chat', 'p1');
    await settleProposal(db(), await readProposal(db(), 'p1'), { state: 'declined', outcome: 'not today' });
    expect(await activities.proposeMoves('chat', 'p2')).toEqual({ open: null, withdrawn: null });
    nowMs += PROPOSAL_HOURS * 3_600_000 + 1;
    expect((await activities.proposeMoves('chat', 'p3')).open?.id).toBe('p3');
  });

  it('loses what nobody decided in time', async () => {
    await activities.proposeMoves('chat', 'p1');
    nowMs += PROPOSAL_HOURS * 3_600_000 + 1;
    expect(await activities.proposalStatus('p1')).toMatchObject({ state: 'expired', outcome: 'nobody decided in time' });
    expect(await activities.beginProposal('p1')).toEqual({ step: 'over' });
  });
});

it('in shadow mode what the planner would do is only noted, and what limited its replicas holds nothing back', async () => {
  await declare('shadow', 6);
  expect(await activities.proposeMoves('chat', 'p1')).toEqual({ open: null, withdrawn: null });
  expect(await all()).toMatchObject([{ id: 'p1', state: 'noted' }]);
  expect((await holdsOnRebalance(db())).map((hold) => hold.refusal)).toMatchObject([
    { kind: 'refused', on: 'mode', message: 'chat skipped: the deployment is in shadow mode' },
  ]);
  expect((await loadRoutingTable(db())).replicas).toMatchObject([{ replicaId: 'r1', shadowed: true, kvShare: 1 }]);
  await declare('auto', 6);
  expect((await loadRoutingTable(db())).replicas).toMatchObject([{ replicaId: 'r1', kvShare: 0.5 }]);
  expect(await activities.deploymentsToProposeFor()).toEqual([]);
  expect(await holdsOnRebalance(db())).toEqual([]);
  expect(await activities.planPlacement({ planId: 'p9', purpose: 'rebalance', subject: 'cluster' })).toMatchObject({ places: [{}] });
});

it('lost replicas are made good in every mode', async () => {
  for (const mode of ['shadow', 'advise'] as const) {
    await declare(mode, 3);
    await db().update(hosts).set({ liveness: 'lost' }).where(eq(hosts.name, 'h1'));
    const planned = await activities.planPlacement({ planId: `replace-${mode}`, purpose: 'replace', subject: 'cluster' });
    expect(planned.places).toMatchObject([{ host: 'h2', replaces: 'r1' }]);
  }
});

describe('an approved proposal', () => {
  beforeEach(async () => {
    await activities.proposeMoves('chat', 'p1');
    await approve('p1');
  });

  it('is reserved as a whole, and the same however often it is begun', async () => {
    const begun = await activities.beginProposal('p1');
    expect(begun).toMatchObject({
      step: 'moves',
      plan: { planId: 'p1', places: [{}] },
      applied: { reserved: [expect.any(String)], trimmed: [] },
    });
    expect(await activities.beginProposal('p1')).toEqual(begun);
    expect(await living()).toHaveLength(2);
    // Under way, nothing else is proposed.
    expect(await activities.proposeMoves('chat', 'p2')).toMatchObject({ open: { id: 'p1' }, withdrawn: null });
    expect(await activities.proposalStatus('p1')).toMatchObject({ state: 'approved', begun: true });
    await activities.endProposal('p1', 'done', '1 of 1 moves done');
    await activities.endProposal('p1', 'failed', 'told a second time');
    expect(await readProposal(db(), 'p1')).toMatchObject({ state: 'done', outcome: '1 of 1 moves done' });
  });

  const cases: [string, () => Promise<unknown>, RegExp][] = [
    ['a newer revision serves', () => db().update(deployments).set({ currentRevision: 2 }), /made for revision 1, 2 serves now/],
    ['a rollout is changing it', () => insertRollout(), /rollout chat-r2 is changing/],
    [
      'its host takes no new work',
      () => Promise.all(['h1', 'h2'].map((h) => setHostService(db(), h, 'cordoned', 'maintenance'))),
      /takes no new work/,
    ],
    ['its deployment is in shadow mode', () => declare('shadow', 6), /shadow mode now/],
    ['another plan has moved it', () => moveByAnother(), /another plan has moved/],
  ];
  it.each(cases)('is outdated where %s, and nothing of it is reserved', async (_, change, why) => {
    await change();
    const before = (await living()).length;
    expect(await activities.beginProposal('p1')).toEqual({ step: 'over' });
    expect(await readProposal(db(), 'p1')).toMatchObject({ state: 'outdated', outcome: expect.stringMatching(why) });
    expect(await living()).toHaveLength(before);
  });

  it('waits where as many replicas are moving as may, and is given up when its time is over', async () => {
    const move = (id: string) => ({ id, planId: 'x', leaves: true });
    for (const id of ['m1', 'm2'])
      await aReplica(db(), { id, deployment: 'other', host: 'h2', accelerators: [3], acceleratorKind: 'L40S', move: move(id) });
    expect(await activities.beginProposal('p1')).toEqual({ step: 'wait', reason: expect.stringMatching(/2 replicas may move at once/) });
    nowMs += PROPOSAL_HOURS * 3_600_000 + 1;
    expect(await activities.beginProposal('p1')).toEqual({ step: 'over' });
    expect(await readProposal(db(), 'p1')).toMatchObject({ state: 'expired' });
  });

  async function insertRollout(): Promise<void> {
    const status = { phase: 'running' as const, stage: 'start' as const, reason: '', stages: [], planId: null };
    await db().insert(rollouts).values({ id: 'chat-r2', deployment: 'chat', revision: 2, fromRevision: 1, workflowId: 'w', status });
  }

  async function moveByAnother(): Promise<void> {
    await activities.planPlacement({ planId: 'd1', purpose: 'drain', subject: 'h1' });
    await activities.applyPlan('d1');
  }
});

it('a proposal to retire a replica that was started anew is outdated', async () => {
  await aReplica(db(), { id: 'r2', host: 'h2', acceleratorKind: 'L40S', stepTime: STEP, kvCacheTokens: 100_000 });
  await declare('advise', 1);
  await activities.proposeMoves('chat', 'p1');
  const { moves, basis } = await readProposal(db(), 'p1');
  const [leaving] = moves;
  expect(moves).toMatchObject([{ kind: 'retire' }]);
  expect(Object.keys(basis.generations)).toEqual([leaving!.replicaId]);
  await approve('p1');
  await db().update(replicas).set({ generation: 9 }).where(eq(replicas.id, leaving!.replicaId));
  await activities.beginProposal('p1');
  expect(await readProposal(db(), 'p1')).toMatchObject({ state: 'outdated', outcome: expect.stringMatching(/generation 9 now/) });
});
