/**
 * Versions of the control worker. With a build id, a workflow stays on the build that it began on, so that no change of workflow code ever
 * meets a history that it did not write; a workflow that lives for good moves to the current build as it continues as new. Off without one:
 * an embedded installation stops the old build before the new one starts.
 */
import { setTimeout as delay } from 'node:timers/promises';
import type { Connection } from '@temporalio/client';
import { isGrpcServiceError } from '@temporalio/client';
import type { WorkerDeploymentOptions } from '@temporalio/worker';

export const WORKER_DEPLOYMENT = 'uellm-control';

/** What `Worker.create` takes; nothing where there is no build id. */
export function versioningOf(buildId: string | undefined): { workerDeploymentOptions?: WorkerDeploymentOptions } {
  if (buildId === undefined) return {};
  return {
    workerDeploymentOptions: {
      version: { deploymentName: WORKER_DEPLOYMENT, buildId },
      useWorkerVersioning: true,
      defaultVersioningBehavior: 'PINNED',
    },
  };
}

/** gRPC's code of what is not there yet: Temporal learns of a build from its first poll. */
const NOT_FOUND = 5;
const FAILED_PRECONDITION = 9;

/**
 * Makes this build the one on which workflows start. Call it once its worker polls; earlier ones are waited for.
 * @throws what Temporal says where it still does not know the build after `patienceMs`
 */
export async function makeCurrent(connection: Connection, namespace: string, buildId: string, patienceMs = 30_000): Promise<void> {
  const request = { namespace, deploymentName: WORKER_DEPLOYMENT, buildId, identity: `${WORKER_DEPLOYMENT} ${buildId}` };
  for (const deadline = Date.now() + patienceMs; ; ) {
    try {
      await connection.workflowService.setWorkerDeploymentCurrentVersion(request);
      return;
    } catch (error) {
      const early = isGrpcServiceError(error) && (error.code === NOT_FOUND || error.code === FAILED_PRECONDITION);
      if (!early || Date.now() >= deadline) throw error;
      await delay(500);
    }
  }
}
