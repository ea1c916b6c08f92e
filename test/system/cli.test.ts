/** The command line against the admin API: what a person types, what is printed where, and the exit code. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { conflict } from '../../core/domain/errors.ts';
import { removeLease, renewLease } from '../../db/queries/leases.ts';
import { savePlan } from '../../db/queries/plans.ts';
import { endRollout } from '../../db/queries/rollouts.ts';
import type { DrainStatus } from '../../workflows/messages.ts';
import { createTestApi, RUNNING, type TestApi } from '../support/api.ts';
import { type CliOptions, runCli } from '../support/cli.ts';
import { aReplica } from '../support/rows.ts';

let api: TestApi;
beforeAll(async () => {
  api = await createTestApi({ apiKeys: ['secret'] });
});
afterAll(() => api.close());

const uellm = (line: string, options: CliOptions = {}) =>
  runCli(line.split(' '), {
    fetch: async (url, init) => api.app.request(url, init),
    env: { UELLM_API_KEY: 'secret' },
    ...options,
  });
const json = async (line: string) => {
  const { out, err, exitCode } = await uellm(`${line} --json`);
  expect([line, err, exitCode]).toEqual([line, '', 0]);
  return JSON.parse(out);
};

const FILE = `
kind: Deployment
name: chat
model: llama-3.1-8b
engine: { kind: simulated }
---
kind: Host
name: h1
accelerators: [{ kind: h100, count: 4 }]
simulated: true
---
kind: Model
name: llama-3.1-8b
source: hf://meta-llama/Llama-3.1-8B-Instruct
---
kind: SloPolicy
name: chat-interactive
match: { class: interactive }
targets: { ttftMs: 500 }
`;

describe('declaring', () => {
  it('shows what a file would do, does it, and does nothing the second time', async () => {
    const dry = await uellm('apply -f - --dry-run', { stdin: FILE });
    expect(dry.out).toContain('Host \'h1\' would be created\n  + name: "h1"\n  + accelerators[0].kind: "H100-SXM"');
    expect((await json('get hosts')).items).toEqual([]);

    const first = await uellm('apply -f -', { stdin: FILE });
    expect(first).toMatchObject({ exitCode: 0, err: '' });
    expect(first.out.split('\n').slice(0, 4)).toEqual([
      "Host 'h1' created",
      "Model 'llama-3.1-8b' created",
      "SloPolicy 'chat-interactive' created",
      "Deployment 'chat' created",
    ]);
    expect(first.out).toContain('uellm deploy chat --watch');
    expect((await uellm('apply -f -', { stdin: FILE })).out.match(/unchanged/g)).toHaveLength(4);
  });

  it('replaces what differs, and shows the fields beforehand', async () => {
    const changed = FILE.replace('500', '200');
    expect((await uellm('apply -f - --dry-run', { stdin: changed })).out).toContain(
      "SloPolicy 'chat-interactive' would be replaced\n  ~ targets.ttftMs: 500 -> 200",
    );
    expect((await uellm('apply -f -', { stdin: changed })).out).toContain("SloPolicy 'chat-interactive' replaced");
    expect(await json('get policy chat-interactive')).toMatchObject({ targets: { ttftMs: 200 }, status: { version: 2 } });
  });

  it.each(['apply -f -', 'apply -f - --dry-run'])('%s takes nothing of a file that refers to what is not there', async (line) => {
    const stdin = `
{kind: Model, name: other, source: hf://a/b}
---
{kind: Host, name: ext, accelerators: [{kind: L4, count: 1}], external: {endpoints: [{url: 'http://e:1', model: other}]}}
---
{kind: Deployment, name: d, model: nobody, engine: {kind: vllm}, placement: {hosts: [h1, ext, h9]}}
`;
    expect(await uellm(line, { stdin })).toEqual({
      exitCode: 2,
      out: '',
      err: `error: standard input is not valid
  Host 'ext': external.endpoints[0].model: got "other", allowed is the name of a declared model with a config
  Deployment 'd': model: got "nobody", allowed is the name of a model that is declared
  Deployment 'd': placement.hosts[1]: got "ext", allowed is the name of a host that is declared, and not external
  Deployment 'd': placement.hosts[2]: got "h9", allowed is the name of a host that is declared, and not external
`,
    });
    expect((await json('get models')).items).toHaveLength(1);
  });

  it('warns of a policy for a model that is not declared yet', async () => {
    const stdin =
      '{kind: SloPolicy, name: early, match: {model: later}, targets: {ttftMs: 500}}\n---\n{kind: Model, name: other, source: hf://a/b}';
    expect(await uellm('apply -f -', { stdin })).toMatchObject({
      exitCode: 0,
      out: expect.stringContaining("SloPolicy 'early' created"),
      err: "warning: SloPolicy 'early': match.model: no model named 'later' is declared, so no request falls under it yet\n",
    });
  });

  it('writes YAML that it reads again', async () => {
    const { out } = await uellm('get deployments -o yaml');
    expect(parse(out)).toMatchObject({ kind: 'Deployment', name: 'chat', status: { version: 1 } });
    expect((await uellm('apply -f -', { stdin: out })).out).toContain("Deployment 'chat' unchanged");
  });

  it('deletes what nothing uses', async () => {
    expect(await uellm('delete model other')).toMatchObject({ exitCode: 0, out: "model 'other' deleted\n" });
    expect(await uellm('delete model llama-3.1-8b')).toMatchObject({
      exitCode: 1,
      out: '',
      err: "error: model 'llama-3.1-8b': is used by deployment chat\n",
    });
    expect(await uellm('delete model other')).toMatchObject({ exitCode: 1, err: "error: there is no model named 'other'\n" });
  });
});

describe('looking', () => {
  it('takes every name of a kind, and shows the same list as the API', async () => {
    await aReplica(api.db, { id: 'r1' });
    for (const kind of ['replica', 'replicas', 'Replicas'])
      expect(await json(`get ${kind}`)).toMatchObject({ items: [{ id: 'r1', state: 'ready' }] });
    for (const kind of ['audit', 'plans', 'rollout', 'observations', 'corrections', 'slopolicies'])
      expect(Array.isArray((await json(`get ${kind}`)).items)).toBe(true);
  });

  it('shows a replica that no longer answers as unreachable, with the reason of the gateway', async () => {
    const lease = { gatewayId: 'g', address: 'http://g', routingVersion: 1, inFlight: {}, finished: {} };
    await renewLease(api.db, { ...lease, unhealthy: { r1: 'connection refused' } });
    expect((await uellm('get replicas')).out).toMatch(/^r1 .* unreachable .* connection refused$/m);
    expect((await uellm('get deployments')).out).toMatch(/^chat .* 0\/1 /m);
    expect((await uellm('top')).out).toContain('chat unreachable');
    await removeLease(api.db, 'g');
  });

  it('fits its tables to the terminal', async () => {
    const { out } = await uellm('get hosts', { columns: 60 });
    expect(out).toMatch(/^NAME +ACCELER/);
    expect(Math.max(...out.split('\n').map((line) => line.length))).toBeLessThanOrEqual(60 + 10);
    expect((await uellm('get hosts')).out).toContain('SIMULATED');
    expect((await uellm('get plans')).out).toBe('no plans\n');
  });

  it('deletes a deployment that serves only with --drain', async () => {
    await json('get deployment chat');
    expect(await uellm('delete deployment chat')).toMatchObject({ exitCode: 1, out: '', err: expect.stringContaining('replicas r1') });
    api.actions.startRetirement.mockRejectedValueOnce(new Error('asked'));
    await uellm('delete deployment chat --drain');
    expect(api.actions.startRetirement).toHaveBeenCalledWith('chat', expect.anything());
  });

  it('says when a key is needed', async () => {
    expect(await uellm('get hosts', { env: {} })).toMatchObject({
      exitCode: 1,
      err: expect.stringMatching(/^error: an API key is needed.*UELLM_API_KEY/),
    });
  });

  it('shows the whole picture once where nobody looks', async () => {
    const { out, exitCode } = await uellm('top');
    expect(exitCode).toBe(0);
    expect(out).toContain('h1');
    expect(await json('top')).toMatchObject({ windowSeconds: 60, replicas: [{ id: 'r1' }] });
  });
});

describe('rolling out', () => {
  it('starts, follows, and fails where the rollout does', async () => {
    expect((await uellm('rollout status chat')).err).toBe("error: deployment 'chat' was never rolled out: uellm deploy chat\n");
    const { out } = await uellm('deploy chat');
    expect(out).toBe('rollout chat-r1 of revision 1 started; follow it: uellm rollout status chat --watch\n');
    expect((await uellm('deploy chat')).err).toBe(
      "error: deployment 'chat': rollout chat-r1 is running and rolls out just this, revision 1: nothing to change\n",
    );
    expect((await uellm('rollout pause chat --reason lunch')).out).toContain('chat-r1: paused at start');

    const following = uellm('rollout status chat --watch --json');
    await endRollout(api.db, 'chat-r1', { ...RUNNING, phase: 'succeeded', stage: 'record', reason: 'done' });
    const followed = await following;
    expect([followed.exitCode, JSON.parse(followed.out)]).toMatchObject([0, { id: 'chat-r1', status: { phase: 'succeeded' } }]);

    const failing = uellm('deploy chat --watch');
    await expect.poll(async () => (await json('get rollouts')).items.length).toBe(2);
    await endRollout(api.db, 'chat-r2', { ...RUNNING, phase: 'rolled-back', stage: 'canary', reason: 'errors' });
    const failed = await failing;
    expect(failed).toMatchObject({ exitCode: 1, err: 'error: rollout chat-r2 rolled-back at canary: errors\n' });
    expect(failed.out).toContain('chat-r2: rolled-back at canary: errors\n');
  });

  it('goes back to the revision before, or to one that is named', async () => {
    expect((await uellm('rollout rollback chat')).err).toMatch(/no earlier revision/);
    await json('deploy chat');
    await endRollout(api.db, 'chat-r3', { ...RUNNING, phase: 'succeeded' });
    expect(await json('rollout rollback chat')).toMatchObject({ id: 'chat-r1-2', revision: 1 });
    await endRollout(api.db, 'chat-r1-2', { ...RUNNING, phase: 'succeeded' });
    expect(await uellm('rollout rollback chat --to 9')).toMatchObject({ exitCode: 2, err: expect.stringContaining('revision: got 9') });
    expect(await json('rollout rollback chat --to 3')).toMatchObject({ id: 'chat-r3-2' });
    await endRollout(api.db, 'chat-r3-2', { ...RUNNING, phase: 'succeeded' });
  });

  it('ends well where an abort does what it was asked to', async () => {
    for (const [phase, exitCode] of [
      ['rolled-back', 0],
      ['failed', 1],
    ] as const) {
      const { id } = await json('deploy chat');
      api.actions.updateRollout.mockImplementationOnce(async () => {
        setTimeout(() => endRollout(api.db, id, { ...RUNNING, phase, reason: 'aborted by ann' }), 50);
        return { ...RUNNING, phase: 'rolling-back' };
      });
      expect(await uellm('rollout abort chat --watch')).toMatchObject({ exitCode });
    }
  });
});

describe('draining', () => {
  const status: DrainStatus = {
    host: 'h1',
    phase: 'replacing',
    reason: '1 to move',
    planId: 'p',
    remaining: ['r1'],
    open: [],
    deadlineMs: null,
    onDeadline: 'wait',
    waiting: [],
    receipt: null,
  };
  const receipt = {
    host: 'h1',
    planId: 'p',
    moved: [{ replicaId: 'r1', replacedBy: 'r2', toHost: 'h2', seconds: 3, requestsFinished: 7, requestsDropped: 0, engineStopped: true }],
    seconds: 4,
    requestsFinished: 7,
    requestsDropped: 0,
    requestsRetried: 0,
    requestsUnknown: 0,
    gatewaysLost: 0,
  };

  it('takes a deadline', async () => {
    expect(await uellm('drain h1 --deadline 10m --on-deadline migrate')).toMatchObject({ exitCode: 0 });
    expect(api.actions.startDrain).toHaveBeenLastCalledWith('h1', 'admin', {
      deadlineSeconds: 600,
      onDeadline: 'migrate',
      maxUnavailable: 0,
    });
  });

  it('prints the receipt and nothing else on stdout where JSON is asked for', async () => {
    api.actions.drainStatus
      .mockResolvedValueOnce({ running: true, status })
      .mockResolvedValueOnce({ running: false, status: { ...status, phase: 'drained', remaining: [], receipt } });
    const run = await uellm('drain h1 --watch --json');
    expect([run.exitCode, JSON.parse(run.out)]).toEqual([0, receipt]);
    expect(run.err).toBe('replacing: 1 to move (1 replica left)\ndrained: 1 to move\n');
  });

  it('is told in lines to people', async () => {
    api.actions.drainStatus.mockResolvedValueOnce({ running: false, status: { ...status, phase: 'drained', remaining: [], receipt } });
    const run = await uellm('drain h1 --watch');
    expect(run.out).toContain(
      'h1 is drained: 1 replica left in 4.0 s, 7 requests finished meanwhile, 0 dropped\n  r1: replaced by r2 on h2, 3.0 s\n',
    );
  });

  it('that is over as it is followed shows its receipt', async () => {
    api.actions.startDrain.mockRejectedValueOnce(conflict('host', 'h1', 'is drained already'));
    const drained = { running: false, status: { ...status, phase: 'drained' as const, remaining: [], receipt } };
    api.actions.drainStatus.mockResolvedValueOnce(drained).mockResolvedValueOnce(drained);
    const run = await uellm('drain h1 --watch --json');
    expect([run.exitCode, JSON.parse(run.out)]).toEqual([0, receipt]);
  });

  it('fails with the typed reason where it is blocked', async () => {
    const waiting = [
      { kind: 'waiting' as const, on: 'accelerators' as const, subject: 'chat', message: 'no room', nearest: 'fits with 1 more H100-SXM' },
    ];
    api.actions.drainStatus.mockResolvedValueOnce({
      running: false,
      status: { ...status, phase: 'blocked', reason: 'waited 60 s', waiting },
    });
    const run = await uellm('drain h1 --watch --json');
    expect([run.exitCode, JSON.parse(run.out)]).toMatchObject([1, { host: 'h1', phase: 'blocked', waiting }]);
    expect(run.err).toContain(
      'error: drain of h1 is blocked: waited 60 s; waiting on accelerators, chat: no room (fits with 1 more H100-SXM)\n',
    );

    const reason = 'no room; fits with 1 more H100-SXM'; // as the workflow says it
    api.actions.drainStatus.mockResolvedValueOnce({ running: false, status: { ...status, phase: 'blocked', reason, waiting } });
    expect(await uellm('drain h1 --watch')).toMatchObject({
      exitCode: 1,
      out: 'blocked: waiting on accelerators, chat: no room (fits with 1 more H100-SXM) (1 replica left)\n',
      err: 'error: drain of h1 is blocked: waiting on accelerators, chat: no room (fits with 1 more H100-SXM)\n',
    });
  });

  it('ends by uncordon', async () => {
    expect(await uellm('uncordon h1')).toMatchObject({ exitCode: 0, out: "host 'h1' takes work again\n" });
    expect(await uellm('uncordon nobody')).toMatchObject({ exitCode: 1, err: "error: there is no host named 'nobody'\n" });
  });
});

describe('schedules', () => {
  it('are shown and changed', async () => {
    const schedule = { name: 'rebalance' as const, everySeconds: 300, paused: false, note: '', lastRunAt: null, nextRunAt: null };
    api.actions.schedules.mockResolvedValueOnce([schedule]);
    expect((await uellm('schedule')).out).toMatch(/rebalance +300 s +running/);
    expect((await uellm('schedule rebalance --every 10m --pause')).out).toMatch(/rebalance +600 s +paused/);
    expect(api.actions.changeSchedule).toHaveBeenLastCalledWith('rebalance', { everySeconds: 600, paused: true });
    expect(await uellm('schedule --pause')).toMatchObject({
      exitCode: 2,
      err: expect.stringContaining('name: got nothing, allowed is rebalance or monitor'),
    });
  });
});

describe('logs', () => {
  it('prints the lines as they are, of a host or of a replica', async () => {
    expect(await uellm('logs host h1 --lines 2')).toMatchObject({ out: 'first\nlast\n', err: '', exitCode: 0 });
    expect(await json('logs host h1')).toEqual({ source: 'host worker', lines: ['first', 'last'] });
    expect(await uellm('logs replica nobody')).toMatchObject({ out: '', err: "error: there is no replica named 'nobody'\n", exitCode: 1 });
    expect(await uellm('logs host h1 --lines 1001')).toMatchObject({ exitCode: 2 });
  });
});

describe('rebalancing', () => {
  it('shows what a dry run would move', async () => {
    const retire = { kind: 'retire' as const, replicaId: 'r1', deployment: 'chat', host: 'h1', after: ['r2'], reason: 'idle' };
    const outlook = { capacityRequestsPerSecond: 8, usdPerHour: 6, attainment: 0.97 };
    const report = {
      ...{ summary: 's', reasons: ['two suffice'], waiting: [], costUsdPerHourBefore: 8, costUsdPerHourAfter: 6 },
      deployments: [
        {
          deployment: 'chat',
          requestsPerSecond: 5,
          before: { ...outlook, replicas: 3, usdPerHour: 8 },
          after: { ...outlook, replicas: 2 },
        },
      ],
    };
    const plan = { id: 'p', purpose: 'rebalance' as const, subject: 'cluster', basedOn: null, moves: [retire], report };
    await savePlan(api.db, plan, 'dry-run');
    const summary = { planId: 'p', places: [], retires: [retire], waiting: [], summary: 's' };
    api.actions.rebalance.mockResolvedValueOnce({ state: 'running' }).mockResolvedValueOnce({
      state: 'completed',
      result: { planId: 'p', outcome: 'dry-run', reason: 'would save 2 USD/h', summary, held: [] },
    });
    expect(await uellm('rebalance --dry-run')).toMatchObject({
      exitCode: 0,
      out: `dry-run: would save 2 USD/h
retire r1 on h1 after r2: idle
chat: replicas 3 -> 2, capacity 8.0 for 5.0 req/s, 8.00 USD/h -> 6.00 USD/h, predicted attainment 97 %
money: 8.00 USD/h -> 6.00 USD/h
because two suffice
`,
    });
    expect((await uellm('rebalance')).out).toContain('rebalance-cluster started');
  });
});
