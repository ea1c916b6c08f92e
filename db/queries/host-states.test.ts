import { afterAll, beforeAll, expect, it } from 'vitest';
import { hostSpecSchema } from '../../core/domain/fleet.ts';
import type { HostProbe } from '../../core/domain/host-probe.ts';
import type { PlaceMove, Plan } from '../../core/domain/plan.ts';
import { GIB } from '../../core/domain/units.ts';
import { createTestDatabase, type TestDatabase } from '../../test/support/database.ts';
import { hosts } from '../schema/index.ts';
import { recordHeardOf, recordSilence } from './host-states.ts';
import { applyPlan, hostStates, savePlan } from './plans.ts';

let database: TestDatabase;
const db = () => database.connection.db;
beforeAll(async () => {
  database = await createTestDatabase();
});
afterAll(() => database.drop());

const probeOf = (count: number): HostProbe => ({
  accelerators: Array.from({ length: count }, (_, index) => ({
    index,
    kind: 'H100-SXM',
    name: 'NVIDIA H100 80GB HBM3',
    vendor: 'NVIDIA',
    memoryBytes: 79.6 * GIB,
  })),
  links: [],
  problems: [],
  listed: ['NVIDIA'],
});
const declare = (name: string, more: object = {}) => {
  const spec = hostSpecSchema.parse({ name, accelerators: [{ kind: 'H100-SXM', count: 2 }], ...more });
  return db().insert(hosts).values({ name, spec });
};
const absent = async () => Object.fromEntries((await hostStates(db())).map((h) => [h.name, h.absent]));
const place = (replicaId: string, accelerators: number[]): PlaceMove => ({
  ...{ kind: 'place', replicaId, deployment: 'd', revision: 1, model: 'm', engine: 'vllm', host: 'real', accelerators },
  ...{ acceleratorKind: 'H100-SXM', tensorParallel: 1, simulated: false, capacityRequestsPerSecond: 1, reason: 'a test' },
});

it('what a host finds in itself counts until it finds something else, and not on simulated hosts', async () => {
  await declare('real');
  await declare('sim', { simulated: true });
  await recordHeardOf(db(), 'real', []);
  expect(await absent()).toEqual({ real: [], sim: [] });
  for (const name of ['real', 'sim']) await recordHeardOf(db(), name, [], probeOf(1));
  await recordSilence(db(), 'real', 'suspect', 'silent');
  await recordHeardOf(db(), 'real', []);
  expect(await absent()).toEqual({ real: [1], sim: [] });

  const report = { summary: '', reasons: [], waiting: [], costUsdPerHourBefore: null, costUsdPerHourAfter: null };
  const plan: Plan = { id: 'p', purpose: 'deploy', subject: 'd', basedOn: null, moves: [place('a', [0]), place('b', [1])], report };
  await savePlan(db(), plan, 'proposed');
  const { reserved, trimmed } = await applyPlan(db(), 'p');
  expect([reserved, trimmed.map((t) => t.message)]).toEqual([['a'], ['host real does not find its accelerator 1']]);

  await recordHeardOf(db(), 'real', [], probeOf(2));
  expect(await absent()).toEqual({ real: [], sim: [] });
});
