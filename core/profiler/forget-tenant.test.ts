import { describe, expect, it } from 'vitest';
import { anObservation } from '../../test/support/observations.ts';
import { forgetTenant } from './forget-tenant.ts';
import { learn } from './learn.ts';
import { predictOutput } from './predict.ts';
import { COLD_START_SNAPSHOT } from './snapshot.ts';
import { noTenants, tenantBucket } from './tenants.ts';

const answers = ['leaves', 'stays'].flatMap((tenant, t) =>
  ['chat', 'code'].flatMap((model, m) =>
    Array.from({ length: 40 }, (_, i) => {
      const id = 1 + 80 * t + 40 * m + i;
      return { id, ...anObservation(`r${id}`, { tenant, model, outputTokens: tenant === 'leaves' ? 2000 : 100 }) };
    }),
  ),
);

describe('forgetting a tenant', () => {
  const { snapshot } = learn(COLD_START_SNAPSHOT, answers);
  const after = forgetTenant(snapshot, 'leaves');

  it('leaves nothing of it in any head', () => {
    const bucket = tenantBucket('leaves');
    for (const { tenants } of [after.shared, ...Object.values(after.models)]) {
      for (const [name, values] of Object.entries(tenants))
        expect([name, values[bucket]]).toEqual([name, noTenants()[name as 'level'][bucket]]);
    }
    expect(snapshot.shared.tenants.observations[bucket]).toBe(80);
  });

  it('predicts the others as before, and learns it anew', () => {
    const ask = (of: typeof snapshot, tenant: string) => predictOutput(of, anObservation('x', { model: 'chat', tenant }));
    expect(ask(after, 'stays')).toEqual(ask(snapshot, 'stays'));
    expect(ask(after, 'leaves').p50).toBeLessThan(0.7 * ask(snapshot, 'leaves').p50);
    const again = Array.from({ length: 100 }, (_, i) => ({
      id: 1000 + i,
      ...anObservation(`again${i}`, { tenant: 'leaves', model: 'chat', outputTokens: 2000 }),
    }));
    expect(ask(learn(after, again).snapshot, 'leaves').p50).toBeGreaterThan(1500);
  });

  it('changes nothing where nothing is known of it', () => {
    expect(forgetTenant(after, 'leaves')).toBe(after);
    expect(forgetTenant(COLD_START_SNAPSHOT, 'leaves')).toBe(COLD_START_SNAPSHOT);
  });
});
