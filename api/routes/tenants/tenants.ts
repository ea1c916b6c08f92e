/** /api/v1/tenants */
import type { Tenant } from '../../../core/domain/tenant.ts';
import { dayOf } from '../../../core/scheduler/tenant-budget.ts';
import type { Executor } from '../../../db/client.ts';
import { revokeKeysOf } from '../../../db/queries/keys.ts';
import { type TenantUsage, tenantUse } from '../../../db/queries/tenant-budgets.ts';
import {
  deleteTenant,
  insertTenant,
  listTenants,
  lockTenant,
  readTenant,
  type TenantRow,
  updateTenant,
} from '../../../db/queries/tenants.ts';
import type { ApiDependencies } from '../../context.ts';
import type { TenantResource } from '../../schema/index.ts';
import { tenantInputSchema, tenantResourceSchema } from '../../schema/tenants.ts';
import { declaredRoutes } from '../declared.ts';

export function tenantRoutes(dependencies: ApiDependencies) {
  return declaredRoutes<Tenant, TenantView>(dependencies, {
    path: 'tenants',
    what: 'tenant',
    title: 'Tenant',
    input: tenantInputSchema,
    resource: tenantResourceSchema,
    tenantOf: ({ name }) => name,
    list: async (db, request, tenant) => {
      const page = await listTenants(db, request, tenant);
      return { ...page, items: await withUse(db, page.items) };
    },
    read: async (db, name) => (await withUse(db, [await readTenant(db, name)]))[0]!,
    lock: lockTenant,
    create: insertTenant,
    replace: updateTenant,
    remove: async (tx, { name }, actor) => {
      await deleteTenant(tx, name);
      await revokeKeysOf(tx, name, actor);
    },
    present: presentTenant,
  });
}

type TenantView = TenantRow & { use: TenantUsage };

function presentTenant({ spec, version, createdAt, updatedAt, use }: TenantView): TenantResource {
  return { ...spec, status: { version, createdAt: createdAt.toISOString(), updatedAt: updatedAt.toISOString(), use } };
}

async function withUse(db: Executor, rows: readonly TenantRow[]): Promise<TenantView[]> {
  const names = rows.map(({ name }) => name);
  const use = await tenantUse(db, names, dayOf(Date.now()));
  return rows.map((row) => ({ ...row, use: use(row.name) }));
}
