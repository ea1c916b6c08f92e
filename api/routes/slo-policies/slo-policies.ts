/** /api/v1/slo-policies */
import { ANY } from '../../../core/domain/names.ts';
import type { SloPolicy } from '../../../core/domain/slo-policy.ts';
import {
  deleteSloPolicy,
  insertSloPolicy,
  listSloPolicies,
  lockSloPolicy,
  readSloPolicy,
  type SloPolicyRow,
  updateSloPolicy,
} from '../../../db/queries/slo-policies.ts';
import type { ApiDependencies } from '../../context.ts';
import { textFilter } from '../../schema/common.ts';
import type { SloPolicyResource } from '../../schema/index.ts';
import { sloPolicyInputSchema, sloPolicyResourceSchema } from '../../schema/slo-policies.ts';
import { declaredRoutes } from '../declared.ts';
import { tenantFilter } from '../route.ts';

const filters = { model: textFilter.optional(), tenant: textFilter.optional() };

export function sloPolicyRoutes(dependencies: ApiDependencies) {
  return declaredRoutes<SloPolicy, SloPolicyRow, typeof filters>(dependencies, {
    path: 'slo-policies',
    what: 'SLO policy',
    title: 'SloPolicy',
    input: sloPolicyInputSchema,
    resource: sloPolicyResourceSchema,
    tenantOf: ({ match }) => (match.tenant === ANY ? null : match.tenant),
    filters,
    list: (db, page, tenant, { model, tenant: asked }) => listSloPolicies(db, page, tenantFilter({ tenant }, asked), model),
    read: readSloPolicy,
    lock: lockSloPolicy,
    create: insertSloPolicy,
    replace: updateSloPolicy,
    remove: (tx, { name }) => deleteSloPolicy(tx, name),
    present: presentSloPolicy,
  });
}

function presentSloPolicy({ spec, version, createdAt, updatedAt }: SloPolicyRow): SloPolicyResource {
  return { ...spec, status: { version, createdAt: createdAt.toISOString(), updatedAt: updatedAt.toISOString() } };
}
