/** /api/v1/tenants */
import type { Tenant } from '../../../core/domain/tenant.ts';
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
  return declaredRoutes<Tenant, TenantRow>(dependencies, {
    path: 'tenants',
    what: 'tenant',
    title: 'Tenant',
    input: tenantInputSchema,
    resource: tenantResourceSchema,
    list: listTenants,
    read: readTenant,
    lock: lockTenant,
    create: insertTenant,
    replace: updateTenant,
    remove: (tx, { name }) => deleteTenant(tx, name),
    present: presentTenant,
  });
}

function presentTenant({ spec, version, createdAt, updatedAt }: TenantRow): TenantResource {
  return { ...spec, status: { version, createdAt: createdAt.toISOString(), updatedAt: updatedAt.toISOString() } };
}
