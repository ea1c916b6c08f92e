/** /api/v1/models */
import { conflict, UellmError } from '../../../core/domain/errors.ts';
import { type Model, type ModelShape, shapeOf } from '../../../core/domain/model-spec.ts';
import {
  deleteModel,
  hostsServing,
  insertModel,
  listModels,
  lockModel,
  type ModelRow,
  readModel,
  updateModel,
} from '../../../db/queries/models.ts';
import type { ApiDependencies } from '../../context.ts';
import type { ModelResource } from '../../schema/index.ts';
import { modelInputSchema, modelResourceSchema } from '../../schema/models.ts';
import { declaredRoutes } from '../declared.ts';

export function modelRoutes(dependencies: ApiDependencies) {
  return declaredRoutes<Model, ModelRow>(dependencies, {
    path: 'models',
    what: 'model',
    title: 'Model',
    input: modelInputSchema,
    resource: modelResourceSchema,
    list: listModels,
    read: readModel,
    lock: (tx, name) => lockModel(tx, name, 'update'),
    create: insertModel,
    replace: updateModel,
    async remove(tx, { name }) {
      const { deployments } = await readModel(tx, name);
      if (deployments.length > 0) throw conflict('model', name, `is used by deployment ${deployments.join(', ')}`);
      const hosts = await hostsServing(tx, name);
      if (hosts.length > 0) throw conflict('model', name, `has replicas on ${hosts.join(', ')}`);
      await deleteModel(tx, name);
    },
    present: presentModel,
  });
}

function presentModel(row: ModelRow): ModelResource {
  const { version, deployments } = row;
  const times = { createdAt: row.createdAt.toISOString(), updatedAt: row.updatedAt.toISOString() };
  return { ...row.spec, status: { version, ...times, deployments, shape: knownShape(row.spec) } };
}

function knownShape(model: Model): ModelResource['status']['shape'] {
  let shape: ModelShape;
  try {
    shape = shapeOf(model);
  } catch (error) {
    if (error instanceof UellmError) return null;
    throw error;
  }
  const { parameters, weightsBytes, kvBytesPerToken, maxContextTokens } = shape;
  return { parameters, weightsBytes, kvBytesPerToken, maxContextTokens };
}
