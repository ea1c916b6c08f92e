import { expect, it } from 'vitest';
import type { PlanDiff } from '../api/schema/index.ts';
import { planDiffText } from './plan-diff-text.ts';

const plan = (id: string, summary: string) => ({ id, state: 'applied', report: { summary } }) as PlanDiff['from'];
const outlook = (replicas: number, attainment: number) => ({
  replicas,
  capacityRequestsPerSecond: replicas,
  usdPerHour: replicas,
  attainment,
});
const placed = (replicaId: string, host: string, accelerators: number[]) => ({
  ...{ replicaId, deployment: 'chat', revision: 1, host, accelerators, acceleratorKind: 'L4', tensorParallel: accelerators.length },
});
const diff = (fields: Partial<PlanDiff>): PlanDiff => ({
  ...{ from: plan('p1', 'deploy chat'), to: plan('p2', 'drain h1'), plansBetween: 0, deployments: [], changes: [] },
  ...{ costUsdPerHour: { before: 1, after: 2.5 } },
  ...fields,
});
const style = { columns: Number.POSITIVE_INFINITY, colour: false };

it('says what became of every replica, and of the money', () => {
  const changes: PlanDiff['changes'] = [
    { change: 'moved', deployment: 'chat', before: placed('a', 'h1', [0]), after: placed('b', 'h2', [1]), reasons: ['h1 leaves'] },
    { change: 'added', deployment: 'chat', before: null, after: placed('c', 'h3', [0, 1]), reasons: [] },
  ];
  const deployments = [{ deployment: 'chat', requestsPerSecond: 3, before: outlook(1, 0.8), after: outlook(2, 0.95) }];
  expect(planDiffText(diff({ changes, deployments }), style).split('\n')).toEqual([
    'from p1 (applied): deploy chat',
    'to   p2 (applied): drain h1',
    'money: 1.00 USD/h -> 2.50 USD/h',
    'chat: replicas 1 -> 2, capacity 1.0 -> 2.0 for 3.0 req/s, 1.00 USD/h -> 2.00 USD/h, predicted attainment 80 % -> 95 %',
    'CHANGE  DEPLOYMENT  BEFORE          AFTER             WHY',
    'moved   chat        a on h1 L4 [0]  b on h2 L4 [1]    h1 leaves',
    'added   chat        -               c on h3 L4 [0,1]  -',
    '',
  ]);
});

it('says so where nothing changed', () => {
  expect(planDiffText(diff({}), style)).toContain('every replica stands where it stood');
});
