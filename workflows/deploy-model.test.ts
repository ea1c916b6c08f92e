import { Context } from '@temporalio/activity';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { UellmError } from '../core/domain/errors.ts';
import { startMockWorkers } from '../test/support/lanes.ts';
import { createMockWorld, engineFailed, type MockWorld, place } from '../test/support/mock-activities.ts';
import { createTestNamespace, type TestNamespace } from '../test/support/temporal.ts';
import type { deployModel } from './deploy-model.ts';
import { abortUpdate, approveUpdate, CONTROL_TASK_QUEUE, pauseUpdate, resumeUpdate, rolloutStatusQuery, workflowIds } from './messages.ts';
import { searchAttributes } from './search-attributes.ts';

let temporal: TestNamespace;
let current: MockWorld;
let runs = 0;

beforeAll(async () => {
  temporal = await createTestNamespace();
  await startMockWorkers(temporal, ['h1', 'h2'], () => current);
});
afterAll(() => temporal.close());

/** One old replica serves before; the rollout brings revision 2. */
function withOldRevision(world: MockWorld): MockWorld {
  world.replicas.set('old-1', { revision: 1, host: 'h1', state: 'ready', weight: 100, engine: true });
  return world;
}

async function start(world: MockWorld) {
  current = world;
  const rolloutId = `chat-r2-${++runs}`;
  return temporal.client.workflow.start<typeof deployModel>('deployModel', {
    taskQueue: CONTROL_TASK_QUEUE,
    workflowId: workflowIds.deploy(rolloutId),
    args: [{ rolloutId }],
  });
}

const final = (error: Error) => ({ error, times: Number.POSITIVE_INFINITY });
const stageFailure = new UellmError({ kind: 'forbidden', reason: 'made to fail' });

describe('deployModel', () => {
  it('takes a revision through every stage and retires the old one after the new one serves', async () => {
    const world = withOldRevision(createMockWorld({ steps: [{ weight: 20, pauseSeconds: 0 }] }));
    const status = await (await start(world)).result();
    expect(status).toMatchObject({ phase: 'succeeded', stage: 'record' });
    expect(status.stages.map((s) => [s.stage, s.state])).toEqual([
      ...['resolve', 'profile', 'plan', 'reserve', 'fetch', 'start', 'calibrate', 'canary'].map((stage) => [stage, 'done']),
      ['approve', 'skipped'],
      ...['promote', 'retire', 'record'].map((stage) => [stage, 'done']),
    ]);
    expect([...world.replicas]).toEqual([['new-1', { revision: 2, host: 'h2', state: 'ready', weight: 100, engine: true }]]);
    const names = world.calls.map((c) => c.name);
    expect(names.indexOf('routeReplicas')).toBeLessThan(names.indexOf('unrouteReplica'));
    expect(world.calls.filter((c) => c.name === 'routeReplicas').map((c) => c.args[0])).toEqual([
      { 'new-1': 25, 'old-1': 100 },
      { 'new-1': 100, 'old-1': 0 },
    ]);
    expect(world.rollout.ended).toEqual(status);
  });

  it('retires what a drain brought up of the old revision while that was leaving', async () => {
    const world = withOldRevision(createMockWorld({ steps: [{ weight: 20, pauseSeconds: 0 }] }));
    const { endReplica } = world.activities;
    world.activities.endReplica = async (id, ...how) => {
      if (id === 'old-1') world.replicas.set('moved-1', { revision: 1, host: 'h1', state: 'ready', weight: 0, engine: true });
      return endReplica(id, ...how);
    };
    const status = await (await start(world)).result();
    expect(status.phase).toBe('succeeded');
    expect([...world.replicas.keys()]).toEqual(['new-1']);
    expect(world.calls.map((c) => c.name).filter((n) => n === 'endRollout' || n === 'endReplica')).toEqual([
      ...['endReplica', 'endRollout', 'endReplica'],
    ]);
  });

  it('compares with what is current, and gives nothing to what another rollout left behind', async () => {
    const world = withOldRevision(createMockWorld({ steps: [{ weight: 20, pauseSeconds: 0 }] }));
    world.replicas.set('stray-1', { revision: 7, host: 'h1', state: 'ready', weight: 0, engine: true });
    expect((await (await start(world)).result()).phase).toBe('succeeded');
    const routed = world.calls.filter((c) => c.name === 'routeReplicas').map((c) => c.args[0]);
    expect(routed).toEqual([
      { 'new-1': 25, 'old-1': 100 },
      { 'new-1': 100, 'old-1': 0, 'stray-1': 0 },
    ]);
    expect([...world.replicas.keys()]).toEqual(['new-1']);
  });

  it('is found and understood in Temporal alone', async () => {
    const handle = await start(withOldRevision(createMockWorld({ steps: [{ weight: 20, pauseSeconds: 0 }] })));
    await handle.result();
    const { currentDetails } = await handle.query<{ currentDetails: string }>('__temporal_workflow_metadata');
    const lines = currentDetails.split('\n').map((line) => line.replace(/ [\d.]+\u00a0s \|$/, ' took |'));
    expect(lines).toEqual(
      expect.arrayContaining([
        '**succeeded** at *record*: revision 2 serves',
        '| ✓ | reserve | accelerators are reserved for 1 replica | took |',
        '| ✓ | canary | 20 %: good, as before | took |',
        `At work: [place-new-1](/namespaces/${temporal.namespace}/workflows/place-new-1).`,
      ]),
    );
    const { typedSearchAttributes } = await handle.describe();
    const values = [searchAttributes.model, searchAttributes.hosts, searchAttributes.stage, searchAttributes.outcome].map((key) =>
      typedSearchAttributes.get(key as typeof searchAttributes.model),
    );
    expect(values).toEqual(['llama-3.1-8b', ['h2'], 'record', 'succeeded']);
  });

  const breaking = [
    'resolveModel',
    'profileModel',
    'planPlacement',
    'applyPlan',
    'fetchWeights',
    'startEngine',
    'calibrateEngine',
    'recordServing',
    'watchCanary',
  ] as const;
  it.each(breaking)('unwinds fully when %s fails', async (name) => {
    const world = withOldRevision(createMockWorld({ steps: [{ weight: 20, pauseSeconds: 0 }] }));
    world.fail[name] = final(stageFailure);
    const status = await (await start(world)).result();
    expect(status.phase).toBe('rolled-back');
    expect(status.reason).toContain('made to fail');
    expect([...world.replicas]).toEqual([['old-1', { revision: 1, host: 'h1', state: 'ready', weight: 100, engine: true }]]);
    expect(world.rollout.ended?.phase).toBe('rolled-back');
  });

  it('starts an engine that exits while loading again, as the next generation', async () => {
    const world = createMockWorld();
    world.fail.awaitEngineReady = { error: engineFailed('CUDA out of memory'), times: 2 };
    expect((await (await start(world)).result()).phase).toBe('succeeded');
    expect(world.calls.filter((c) => c.name === 'beginGeneration').map((c) => c.args[1])).toEqual([1, 2, 3]);
  });

  it('gives up on an engine that never loads, with the engine’s own words', async () => {
    const world = createMockWorld();
    world.fail.awaitEngineReady = final(engineFailed('CUDA out of memory'));
    const status = await (await start(world)).result();
    expect(status).toMatchObject({ phase: 'rolled-back', stage: 'start' });
    expect(status.reason).toContain('CUDA out of memory');
    expect(world.replicas.size).toBe(0);
  });

  it('waits for room with the reason in sight, and goes on when there is some', async () => {
    const world = createMockWorld();
    const waiting = {
      kind: 'waiting',
      on: 'accelerators',
      subject: 'chat',
      message: 'no free L4',
      nearest: 'fits with 1 more L4',
    } as const;
    world.plans.push({ planId: '', places: [], retires: [], waiting: [waiting], summary: 'waits' });
    const handle = await start(world);
    await expect.poll(async () => (await handle.query(rolloutStatusQuery)).reason, { timeout: 10_000 }).toContain('fits with 1 more L4');
    expect((await handle.result()).phase).toBe('succeeded');
  });

  it('pauses before the next stage and resumes', async () => {
    const world = withOldRevision(createMockWorld({ steps: [{ weight: 20, pauseSeconds: 2 }] }));
    const handle = await start(world);
    await expect.poll(async () => (await handle.query(rolloutStatusQuery)).stage, { timeout: 10_000 }).toBe('canary');
    expect((await handle.executeUpdate(pauseUpdate, { args: [{ by: 'ann', reason: 'lunch' }] })).phase).toBe('paused');
    await new Promise((resolve) => setTimeout(resolve, 2500));
    expect(await handle.query(rolloutStatusQuery)).toMatchObject({ phase: 'paused', stage: 'canary' });
    await handle.executeUpdate(resumeUpdate, { args: [{ by: 'ann' }] });
    expect((await handle.result()).phase).toBe('succeeded');
  });

  it('waits for approval where asked, refusing what makes no sense', async () => {
    const handle = await start(createMockWorld({ approval: 'manual' }));
    await expect.poll(async () => (await handle.query(rolloutStatusQuery)).phase, { timeout: 10_000 }).toBe('awaiting-approval');
    await expect(handle.executeUpdate(resumeUpdate, { args: [{ by: 'ann' }] })).rejects.toMatchObject({
      cause: { message: 'the rollout is not paused' },
    });
    expect(await handle.executeUpdate(approveUpdate, { args: [{ by: 'ann' }] })).toMatchObject({
      phase: 'running',
      reason: 'approved by ann',
    });
    const status = await handle.result();
    expect(status.phase).toBe('succeeded');
    expect(status.stages.find((s) => s.stage === 'approve')?.detail).toBe('approved by ann');
  });

  it('aborts at once and gives the old revision its traffic back', async () => {
    const world = withOldRevision(createMockWorld({ steps: [{ weight: 20, pauseSeconds: 600 }] }));
    const handle = await start(world);
    await expect.poll(() => world.replicas.get('new-1')?.weight, { timeout: 10_000 }).toBe(25);
    const answer = await handle.executeUpdate(abortUpdate, { args: [{ by: 'ann', reason: 'wrong model' }] });
    expect(answer).toMatchObject({ phase: 'rolling-back', reason: 'aborted by ann: wrong model' });
    const status = await handle.result();
    expect(status).toMatchObject({ phase: 'rolled-back', reason: 'aborted by ann: wrong model' });
    expect([...world.replicas.keys()]).toEqual(['old-1']);
    expect(world.replicas.get('old-1')?.weight).toBe(100);
  });

  it('makes a plan anew when it no longer fits as it is applied', async () => {
    const world = createMockWorld();
    world.plans.push({ planId: '', places: [place('new-1', 'h2'), place('new-2', 'h1')], retires: [], waiting: [], summary: 'two' });
    const apply = world.activities.applyPlan;
    world.activities.applyPlan = async (planId) => {
      world.activities.applyPlan = apply;
      const applied = await apply(planId);
      world.replicas.delete('new-2'); // its place was taken meanwhile
      return { ...applied, reserved: ['new-1'] };
    };
    expect((await (await start(world)).result()).phase).toBe('succeeded');
    expect(world.calls.filter((c) => c.name === 'planPlacement')).toHaveLength(2);
  });

  it('rolls a bad canary back by itself, before its pause is over, with the figures', async () => {
    const world = withOldRevision(createMockWorld({ steps: [{ weight: 20, pauseSeconds: 600 }] }));
    world.verdicts.push({ verdict: 'bad', why: '9 of 10 requests failed' });
    const status = await (await start(world)).result();
    expect(status).toMatchObject({ phase: 'rolled-back', stage: 'canary', reason: 'canary at 20 %: 9 of 10 requests failed' });
    expect([...world.replicas]).toEqual([['old-1', { revision: 1, host: 'h1', state: 'ready', weight: 100, engine: true }]]);
  });

  it('goes on without enough evidence after a while, and says so', async () => {
    const world = withOldRevision(createMockWorld({ steps: [{ weight: 20, pauseSeconds: 0 }] }));
    world.verdicts.push({ verdict: 'unsure', why: '3 requests' });
    const status = await (await start(world)).result();
    expect(status.phase).toBe('succeeded');
    expect(status.stages.find((s) => s.stage === 'canary')?.detail).toBe('20 %: goes on without enough evidence after 0 s, 3 requests');
  });

  it('rolls a canary back that turns out bad while it is paused', async () => {
    const world = withOldRevision(createMockWorld({ steps: [{ weight: 20, pauseSeconds: 600 }] }));
    const handle = await start(world);
    await expect.poll(() => world.replicas.get('new-1')?.weight, { timeout: 10_000 }).toBe(25);
    world.verdicts.push({ verdict: 'bad', why: 'all fail' });
    await handle.executeUpdate(pauseUpdate, { args: [{ by: 'ann', reason: '' }] });
    expect(await handle.result()).toMatchObject({ phase: 'rolled-back', reason: 'canary at 20 %: all fail' });
  });

  it('aborts while paused, and takes no second abort', async () => {
    const world = withOldRevision(createMockWorld({ approval: 'manual' }));
    const handle = await start(world);
    await expect.poll(async () => (await handle.query(rolloutStatusQuery)).phase, { timeout: 10_000 }).toBe('awaiting-approval');
    const by = { by: 'ann', reason: '' };
    await handle.executeUpdate(pauseUpdate, { args: [by] });
    await expect(handle.executeUpdate(pauseUpdate, { args: [by] })).rejects.toMatchObject({
      cause: { message: 'the rollout is paused already' },
    });
    expect(await handle.executeUpdate(resumeUpdate, { args: [by] })).toMatchObject({ phase: 'awaiting-approval' });
    await handle.executeUpdate(pauseUpdate, { args: [by] });
    await handle.executeUpdate(abortUpdate, { args: [by] });
    await expect(handle.executeUpdate(abortUpdate, { args: [by] })).rejects.toThrow();
    expect(await handle.result()).toMatchObject({ phase: 'rolled-back', reason: 'aborted by ann' });
  });

  it('holds a stage to its deadline, without the time on hold', async () => {
    const world = withOldRevision(createMockWorld({ approval: 'manual', stageDeadlineSeconds: { approve: 1 } }));
    const handle = await start(world);
    await expect.poll(async () => (await handle.query(rolloutStatusQuery)).phase, { timeout: 10_000 }).toBe('awaiting-approval');
    await handle.executeUpdate(pauseUpdate, { args: [{ by: 'ann', reason: '' }] });
    await new Promise((resolve) => setTimeout(resolve, 1500));
    expect((await handle.query(rolloutStatusQuery)).phase).toBe('paused');
    await handle.executeUpdate(resumeUpdate, { args: [{ by: 'ann' }] });
    expect(await handle.result()).toMatchObject({ phase: 'rolled-back', stage: 'approve', reason: 'approve took longer than its 1 s' });
    expect([...world.replicas.keys()]).toEqual(['old-1']);
  });

  it('is superseded by a newer rollout, which begins when it has ended', async () => {
    const world = withOldRevision(createMockWorld({ steps: [{ weight: 20, pauseSeconds: 600 }] }));
    const older = await start(world);
    await expect.poll(() => world.replicas.get('new-1')?.weight, { timeout: 10_000 }).toBe(25);
    const behind = older.workflowId.replace('deploy-', '');
    world.turns.push({ turn: 'wait', behind, behindWorkflowId: older.workflowId });
    const newer = await start(world);
    const superseded = await older.result();
    expect(superseded).toMatchObject({ phase: 'superseded', reason: `superseded by rollout ${newer.workflowId.replace('deploy-', '')}` });
    await expect.poll(() => world.replicas.get('new-1')?.weight, { timeout: 10_000 }).toBe(25);
    await newer.executeUpdate(abortUpdate, { args: [{ by: 'ann', reason: '' }] });
    expect((await newer.result()).phase).toBe('rolled-back');
  });

  it('ends a rollout whose workflow is gone, rather than wait for it', async () => {
    const world = withOldRevision(createMockWorld());
    const wait = { turn: 'wait', behind: 'chat-r1', behindWorkflowId: 'deploy-nobody' } as const;
    world.turns.push(wait, wait);
    expect((await (await start(world)).result()).phase).toBe('succeeded');
    expect(world.calls.filter((c) => c.name === 'endOrphanedRollout').map((c) => c.args)).toEqual([['chat-r1']]);
  });

  it('recreates: asks first, then lets the old one leave, and brings it back where the new one fails', async () => {
    const world = withOldRevision(createMockWorld({ strategy: 'recreate' }));
    world.fail.awaitEngineReady = { error: engineFailed('CUDA out of memory'), times: 3 };
    const status = await (await start(world)).result();
    expect(status).toMatchObject({ phase: 'rolled-back', stage: 'start' });
    expect([...world.replicas]).toEqual([['old-again', { revision: 1, host: 'h1', state: 'ready', weight: 100, engine: true }]]);
    const asked = world.calls.filter((c) => c.name === 'planPlacement').map((c) => c.args[0]);
    expect(asked).toMatchObject([{ withoutOthers: true, dryRun: true }, {}, { revision: 1 }]);
    const names = world.calls.map((c) => c.name);
    expect(names.indexOf('endReplica')).toBeLessThan(names.indexOf('applyPlan'));
  });

  it('switches all at once, and keeps the old one until that has proven good', async () => {
    const world = withOldRevision(createMockWorld({ strategy: 'blue-green', soakSeconds: 600 }));
    const handle = await start(world);
    await expect.poll(() => world.replicas.get('old-1')?.weight, { timeout: 10_000 }).toBe(0);
    expect(world.replicas.get('new-1')?.weight).toBe(100);
    await handle.executeUpdate(abortUpdate, { args: [{ by: 'ann', reason: '' }] });
    expect((await handle.result()).phase).toBe('rolled-back');
    expect([...world.replicas]).toEqual([['old-1', { revision: 1, host: 'h1', state: 'ready', weight: 100, engine: true }]]);
  });
});

describe('reloading', () => {
  const replica = (revision: number) => ({ revision, host: 'h1', state: 'ready', weight: 100, engine: true });
  const three = (rollout: Record<string, unknown> = {}) => {
    const world = createMockWorld({ strategy: 'reload', soakSeconds: 0, ...rollout });
    for (const id of ['a', 'b', 'c']) world.replicas.set(id, replica(1));
    return world;
  };
  const revisions = (world: MockWorld) => [...world.replicas.values()].map((r) => r.revision);
  const countOf = (world: MockWorld, name: string) => world.calls.filter((c) => c.name === name).length;

  it('lets one engine go over first, and the others when it has proven good; nothing is placed, routed anew or retired', async () => {
    const world = three({ soakSeconds: 1 });
    world.verdicts.push({ verdict: 'unsure', why: '3 requests' });
    const status = await (await start(world)).result();
    expect(status).toMatchObject({ phase: 'succeeded' });
    expect(status.stages.map((s) => [s.stage, s.state])).toEqual([
      ...[
        ['resolve', 'done'],
        ['profile', 'done'],
        ['plan', 'done'],
        ['reserve', 'skipped'],
        ['approve', 'skipped'],
        ['fetch', 'done'],
      ],
      ...[
        ['canary', 'done'],
        ['start', 'done'],
        ['calibrate', 'skipped'],
        ['promote', 'done'],
        ['retire', 'done'],
        ['record', 'done'],
      ],
    ]);
    expect([...world.replicas.values()]).toEqual([replica(2), replica(2), replica(2)]);
    const names = world.calls.map((c) => c.name);
    expect(names.filter((n) => ['planPlacement', 'unrouteReplica', 'startEngine', 'stopEngine'].includes(n))).toEqual([]);
    const reloads = names.flatMap((n, i) => (n === 'reloadEngine' ? [i] : []));
    expect(reloads[0]).toBeLessThan(names.indexOf('watchCanary'));
    expect(reloads[1]).toBeGreaterThan(names.lastIndexOf('watchCanary'));
  });

  it('asks before it touches an engine', async () => {
    const world = three({ approval: 'manual' });
    const handle = await start(world);
    await expect.poll(async () => (await handle.query(rolloutStatusQuery)).phase, { timeout: 10_000 }).toBe('awaiting-approval');
    expect([countOf(world, 'fetchWeights'), countOf(world, 'reloadEngine')]).toEqual([0, 0]);
    await handle.executeUpdate(approveUpdate, { args: [{ by: 'ann' }] });
    expect((await handle.result()).phase).toBe('succeeded');
  });

  it('leaves the engine alone where the new revision cannot be loaded: the old one still serves', async () => {
    const world = three();
    world.fail.reloadEngine = final(engineFailed('no room for its KV cache'));
    const status = await (await start(world)).result();
    expect(status).toMatchObject({ phase: 'rolled-back', stage: 'canary', reason: expect.stringContaining('no room for its KV cache') });
    expect([countOf(world, 'reloadEngine'), countOf(world, 'recordReloaded')]).toEqual([1, 0]);
  });

  it('loads the old revision again, as a later generation, where the first engine turns out bad', async () => {
    const world = three({ soakSeconds: 600 });
    world.verdicts.push({ verdict: 'bad', why: '9 of 10 requests failed' });
    const status = await (await start(world)).result();
    expect(status).toMatchObject({ phase: 'rolled-back', reason: 'the first engine: 9 of 10 requests failed' });
    expect(revisions(world)).toEqual([1, 1, 1]);
    expect(world.calls.filter((c) => c.name === 'recordReloaded').map((c) => (c.args[0] as { revision: number }).revision)).toEqual([2, 1]);
  });

  it('starts an engine anew that ended in the middle, with the revision that it served', async () => {
    const world = three();
    world.fail.reloadEngine = final(new UellmError({ kind: 'conflict', what: 'replica', name: 'a', reason: 'its engine has ended' }));
    world.replicas.get('a')!.engine = false;
    const status = await (await start(world)).result();
    expect(status).toMatchObject({ phase: 'rolled-back', reason: expect.stringContaining('its engine has ended') });
    expect([...world.replicas.values()]).toEqual([replica(1), replica(1), replica(1)]);
    expect(countOf(world, 'startEngine')).toBe(1);
  });

  it('goes back from any point, engines under way included', async () => {
    const world = three();
    const { reloadEngine } = world.activities;
    let held = 0;
    let aborted = false;
    let released = false;
    world.activities.reloadEngine = async (spec) => {
      if (revisions(world).includes(2) && !aborted) {
        held += 1;
        while (!released) {
          Context.current().heartbeat();
          await new Promise((resolve) => setTimeout(resolve, 50));
        }
      }
      return reloadEngine(spec);
    };
    const handle = await start(world);
    await expect.poll(() => held, { timeout: 10_000 }).toBe(2);
    aborted = true;
    await handle.executeUpdate(abortUpdate, { args: [{ by: 'ann', reason: '' }] });
    released = true;
    expect((await handle.result()).phase).toBe('rolled-back');
    expect([...world.replicas.values()]).toEqual([replica(1), replica(1), replica(1)]);
  });

  it('says what it waits for, and what it refuses, before anything is touched', async () => {
    const world = three();
    const about = { subject: 'chat', on: 'replicas' } as const;
    world.reloadRefusals.push({ ...about, kind: 'waiting', message: 'b is starting' });
    world.reloadRefusals.push({ ...about, kind: 'refused', message: 'no reload: 3 replicas are there', nearest: 'recreate' });
    const status = await (await start(world)).result();
    expect(status).toMatchObject({ phase: 'rolled-back', stage: 'plan', reason: 'no reload: 3 replicas are there; use instead: recreate' });
    expect([countOf(world, 'checkReload'), countOf(world, 'fetchWeights')]).toEqual([2, 0]);
  });

  it('places the first revision as any other strategy does', async () => {
    const world = createMockWorld({ strategy: 'reload' });
    expect((await (await start(world)).result()).phase).toBe('succeeded');
    expect([...world.replicas.keys()]).toEqual(['new-1']);
  });
});
