import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Move, PlanReport } from '../../../core/domain/plan.ts';
import { plans } from '../../../db/schema/index.ts';
import { createTestApi, type TestApi } from '../../../test/support/api.ts';
import { aReplica } from '../../../test/support/rows.ts';
import { type PlanDiff, planDiffSchema } from '../../schema/plans.ts';

let api: TestApi;
const at = (minute: number) => new Date(Date.UTC(2026, 0, 1, 12, minute));
const outlook = (replicas: number, attainment: number | null) => ({
  replicas,
  capacityRequestsPerSecond: replicas,
  usdPerHour: replicas,
  attainment,
});
const report = (fields: Partial<PlanReport>): PlanReport => ({
  ...{ summary: 's', reasons: [], waiting: [], costUsdPerHourBefore: null, costUsdPerHourAfter: null },
  ...fields,
});
const place = (replicaId: string, host: string, more: Partial<Extract<Move, { kind: 'place' }>> = {}): Move => ({
  ...{ kind: 'place', replicaId, deployment: 'chat', revision: 1, model: 'm', engine: 'vllm', host, accelerators: [0] },
  ...{ acceleratorKind: 'L4', tensorParallel: 1, simulated: false, capacityRequestsPerSecond: 1, reason: `room on ${host}` },
  ...more,
});
const retire = (replicaId: string, host: string, after: string[]): Move => ({
  ...{ kind: 'retire', replicaId, deployment: 'chat', host, after, reason: 'another serves' },
});

beforeAll(async () => {
  api = await createTestApi();
  for (const name of ['h1', 'h2', 'h3'])
    await api.call('POST', '/api/v1/hosts', { name, accelerators: [{ kind: 'L4', count: 1, usdPerHour: name === 'h3' ? 1.5 : 1 }] });
  const plan = (id: string, minute: number, state: 'applied' | 'trimmed' | 'dry-run', moves: Move[], fields: Partial<PlanReport>) => ({
    ...{ id, purpose: 'rebalance' as const, subject: 'cluster', basedOn: null, state, moves, report: report(fields) },
    createdAt: at(minute),
    appliedAt: state === 'dry-run' ? null : at(minute),
  });
  const grown = [{ deployment: 'chat', requestsPerSecond: 2, before: outlook(1, 0.8), after: outlook(2, 0.95) }];
  const moved = [{ deployment: 'chat', requestsPerSecond: 3, before: outlook(2, 0.9), after: outlook(2, 0.99) }];
  await api.db.insert(plans).values([
    plan('p1', 0, 'applied', [place('a', 'h1')], { costUsdPerHourAfter: 1 }),
    plan('p2', 10, 'applied', [place('b', 'h2')], { costUsdPerHourAfter: 2, deployments: grown }),
    // Of its two places one was trimmed: whoever was to leave for it stays.
    plan('p3', 20, 'trimmed', [place('c', 'h3'), retire('a', 'h1', ['c']), place('d', 'h4'), retire('b', 'h2', ['d'])], {
      costUsdPerHourAfter: 2.5,
      deployments: moved,
    }),
    plan('p4', 30, 'dry-run', [place('e', 'h5', { accelerators: [0, 1], tensorParallel: 2, replaces: 'b' })], { costUsdPerHourAfter: 3 }),
  ]);
  const replica = (id: string, host: string, minute: number, planId: string) => ({
    id,
    host,
    planId,
    createdAt: at(minute),
    acceleratorKind: 'L4',
  });
  await aReplica(api.db, { ...replica('a', 'h1', 0, 'p1'), state: 'stopped', endedAt: at(22) });
  await aReplica(api.db, replica('b', 'h2', 10, 'p2'));
  await aReplica(api.db, replica('c', 'h3', 20, 'p3'));
});
afterAll(() => api.close());

const diff = async (from: string, to: string) => {
  const { status, body } = await api.call<PlanDiff>('GET', `/api/v1/plans/diff?from=${from}&to=${to}`);
  expect(status).toBe(200);
  return planDiffSchema.parse(body);
};
const changesOf = ({ changes }: PlanDiff) => changes.map((c) => `${c.change} ${c.before?.replicaId ?? '-'} ${c.after?.replicaId ?? '-'}`);

describe('the difference between two plans', () => {
  it('is what came and what went, with the reasons, the money and what was predicted', async () => {
    const answer = await diff('p1', 'p3');
    expect(changesOf(answer)).toEqual(['moved a c', 'added - b']);
    expect(answer.changes[0]!.reasons).toEqual(['room on h3', 'another serves']);
    expect(answer.costUsdPerHour).toEqual({ before: 1, after: 2.5 });
    expect(answer.deployments).toEqual([{ deployment: 'chat', requestsPerSecond: 3, before: outlook(1, 0.8), after: outlook(2, 0.99) }]);
    expect([answer.from.id, answer.to.id, answer.plansBetween]).toEqual(['p1', 'p3', 1]);
  });

  it('is the same whichever is named first', async () => {
    expect(await diff('p3', 'p1')).toEqual(await diff('p1', 'p3'));
  });

  it('shows what a plan that was not applied would have changed', async () => {
    const answer = await diff('p3', 'p4');
    expect(changesOf(answer)).toEqual(['resized b e']);
    expect(answer.changes[0]!.after).toMatchObject({ host: 'h5', accelerators: [0, 1], tensorParallel: 2 });
    expect(changesOf(await diff('p2', 'p4'))).toEqual(['moved a c', 'resized b e']);
  });

  it('of a plan and itself is nothing', async () => {
    expect(await diff('p2', 'p2')).toMatchObject({ changes: [], plansBetween: 0, deployments: [] });
  });

  it('needs two plans that there are', async () => {
    expect((await api.call('GET', '/api/v1/plans/diff?from=p1&to=none')).status).toBe(404);
    expect((await api.call('GET', '/api/v1/plans/diff?from=p1')).body).toMatchObject({ issues: [{ field: 'to' }] });
  });
});
