/** /api/v1/deployments */
import { isDeepStrictEqual } from 'node:util';
import { z } from '@hono/zod-openapi';
import { type DeploymentSpec, rolledOutPart } from '../../../core/domain/deployment.ts';
import { conflict, type FieldIssue, UellmError } from '../../../core/domain/errors.ts';
import type { Executor } from '../../../db/client.ts';
import {
  type DeploymentProgress,
  type DeploymentRow,
  deleteDeployment,
  insertDeployment,
  listDeployments,
  livingReplicasOf,
  lockDeployment,
  readDeployment,
  runningRollout,
  updateDeployment,
} from '../../../db/queries/deployments.ts';
import { placeableHostNames } from '../../../db/queries/hosts.ts';
import { lockModel } from '../../../db/queries/models.ts';
import { withdrawProposals } from '../../../db/queries/proposals.ts';
import { livingReplicas } from '../../../db/queries/replicas.ts';
import { bumpRoutingVersion } from '../../../db/queries/routing.ts';
import type { WorkflowActions } from '../../actions.ts';
import type { ApiDependencies } from '../../context.ts';
import { textFilter } from '../../schema/common.ts';
import { deploymentInputSchema, deploymentResourceSchema } from '../../schema/deployments.ts';
import type { DeploymentResource } from '../../schema/index.ts';
import { declaredRoutes } from '../declared.ts';
import { unreachableReplicas } from '../replicas/unreachable.ts';

const removalQuery = z.strictObject({
  drain: z.enum(['true', 'false']).optional().openapi({
    description: 'Drains and stops the living replicas; without it a deployment that has any is not deleted.',
  }),
});

const filters = { model: textFilter.optional() };

export function deploymentRoutes(dependencies: ApiDependencies) {
  return declaredRoutes<DeploymentSpec, DeploymentRow & DeploymentProgress, typeof filters>(dependencies, {
    path: 'deployments',
    what: 'deployment',
    title: 'Deployment',
    input: deploymentInputSchema,
    resource: deploymentResourceSchema,
    filters,
    async list(db, page, _, { model }) {
      const found = await listDeployments(db, page, model);
      return { ...found, items: await withoutUnreachable(db, found.items) };
    },
    async read(db, name) {
      const [deployment] = await withoutUnreachable(db, [await readDeployment(db, name)]);
      return deployment!;
    },
    lock: lockDeployment,
    completed: (spec, before) => ({ ...spec, mode: spec.mode ?? before?.mode ?? 'auto' }),
    async create(tx, spec) {
      await checkReferences(tx, spec);
      await insertDeployment(tx, spec);
    },
    async replace(tx, spec, before) {
      await checkReferences(tx, spec);
      await updateDeployment(tx, spec);
      if (spec.mode !== before.mode) await changeMode(tx, dependencies.actions, spec);
    },
    // Its replicas are no longer anyone's wish: a workflow drains and stops them. It starts as the last step before the commit.
    removal: removalQuery,
    async remove(tx, { name }, actor, { drain }) {
      const rollout = await runningRollout(tx, name);
      if (rollout) throw conflict('deployment', name, `rollout ${rollout} is running: abort it first`);
      const living = await livingReplicasOf(tx, name);
      if (living.length > 0 && drain !== 'true') {
        const how = `?drain=true (uellm delete deployment ${name} --drain) drains and stops them first`;
        throw conflict('deployment', name, `has living replicas ${living.join(', ')}: ${how}`);
      }
      await deleteDeployment(tx, name);
      await withdraw(tx, dependencies.actions, name, 'the deployment was deleted');
      if (living.length > 0) await dependencies.actions.startRetirement(name, actor);
    },
    present: presentDeployment,
  });
}

/** Replicas that no longer answer a gateway do not serve, whatever their rows still say. */
async function withoutUnreachable<D extends DeploymentRow & DeploymentProgress>(db: Executor, found: readonly D[]): Promise<D[]> {
  const unreachable = await unreachableReplicas(db);
  if (unreachable.size === 0) return [...found];
  const silent = (await livingReplicas(db)).filter(({ id, state }) => state === 'ready' && unreachable.has(id));
  return found.map((one) => {
    const lost = silent.filter(({ deployment }) => deployment === one.name).length;
    return { ...one, ready: Math.max(0, one.ready - lost) };
  });
}

/** What was proposed under another mode is not to be approved any more; gateways hear of it last, as that locks one row. */
async function changeMode(tx: Executor, actions: WorkflowActions, { name, mode }: DeploymentSpec): Promise<void> {
  await withdraw(tx, actions, name, `the deployment is in ${mode} mode now`);
  await bumpRoutingVersion(tx);
}

/** A mode changes whether Temporal is there or not: a workflow that cannot be told reads its row when its time is over. */
async function withdraw(tx: Executor, actions: WorkflowActions, deployment: string, why: string): Promise<void> {
  const withdrawn = await withdrawProposals(tx, deployment, why);
  await Promise.allSettled(withdrawn.map((id) => actions.tellProposal(id)));
}

/** What it names has to be there, and stays while the transaction lasts. @throws invalid-input */
async function checkReferences(tx: Executor, spec: DeploymentSpec): Promise<void> {
  const issues: FieldIssue[] = [];
  try {
    await lockModel(tx, spec.model, 'share');
  } catch (error) {
    if (!(error instanceof UellmError)) throw error;
    issues.push({ field: 'model', given: JSON.stringify(spec.model), allowed: 'the name of a model that is declared' });
  }
  const hosts = spec.placement.hosts.length > 0 ? new Set(await placeableHostNames(tx)) : new Set();
  for (const [index, host] of spec.placement.hosts.entries()) {
    if (hosts.has(host)) continue;
    issues.push({
      field: `placement.hosts[${index}]`,
      given: JSON.stringify(host),
      allowed: 'the name of a host that is declared, and not external',
    });
  }
  if (issues.length > 0) throw new UellmError({ kind: 'invalid-input', what: `Deployment '${spec.name}'`, issues });
}

function presentDeployment(row: DeploymentRow & DeploymentProgress): DeploymentResource {
  const { spec, version, modeSince, latestRevision, currentRevision, ready, living, rollout, rolledOut } = row;
  return {
    ...spec,
    mode: spec.mode ?? 'auto',
    status: {
      version,
      createdAt: row.createdAt.toISOString(),
      updatedAt: row.updatedAt.toISOString(),
      latestRevision,
      currentRevision,
      pendingChange: rolledOut === null || !isDeepStrictEqual(rolledOutPart(spec), rolledOutPart(rolledOut)),
      modeSince: modeSince.toISOString(),
      replicas: { ready, living },
      rollout: rollout && {
        id: rollout.id,
        revision: rollout.revision,
        phase: rollout.status.phase,
        stage: rollout.status.stage,
        reason: rollout.status.reason,
      },
    },
  };
}
