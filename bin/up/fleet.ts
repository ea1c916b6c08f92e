/** Declares the objects of `uellm up` and rolls out their deployments. What exists already is left as somebody made it. */
import { setTimeout as delay } from 'node:timers/promises';
import { type ApiClient, ApiProblem, type DeclaredCollection } from '../../api/client.ts';
import { UellmError } from '../../core/domain/errors.ts';
import { type DeclaredObject, OBJECT_KINDS, type ObjectKind } from '../../core/domain/objects.ts';
import { localHosts } from './objects.ts';

const COLLECTIONS: Record<ObjectKind, DeclaredCollection> = {
  Host: 'hosts',
  Model: 'models',
  SloPolicy: 'slo-policies',
  Tenant: 'tenants',
  Deployment: 'deployments',
};

/** A rollout does well without this wait; it only has more to choose from when every host has been heard of. */
const WAIT_FOR_HOSTS_MS = 15_000;

/**
 * Waits while the API is away, as it may be started again just now.
 * @param onDone told of each thing that it did
 * @throws what the API says of an object that it does not take
 */
export async function declareFleet(
  api: ApiClient,
  objects: readonly DeclaredObject[],
  signal: AbortSignal,
  onDone: (line: string) => void,
): Promise<void> {
  for (;;) {
    try {
      return await declareAll(api, objects, signal, onDone);
    } catch (error) {
      if (!isAway(error)) throw error;
      await delay(1000, undefined, { signal });
    }
  }
}

function isAway(error: unknown): boolean {
  return error instanceof ApiProblem ? error.problem.status >= 500 : error instanceof UellmError && error.detail.kind === 'unavailable';
}

async function declareAll(
  api: ApiClient,
  objects: readonly DeclaredObject[],
  signal: AbortSignal,
  onDone: (line: string) => void,
): Promise<void> {
  for (const kind of OBJECT_KINDS) {
    for (const { spec } of objects.filter((o) => o.kind === kind)) {
      signal.throwIfAborted();
      if (await api.find(COLLECTIONS[kind], spec.name)) continue;
      await api.create(COLLECTIONS[kind], spec);
      onDone(`${kind} ${spec.name} declared`);
    }
  }
  const deployments = objects.filter((o) => o.kind === 'Deployment').map((o) => o.spec.name);
  if (deployments.length > 0) await hostsAlive(api, localHosts(objects), signal);
  for (const name of deployments) {
    signal.throwIfAborted();
    const rollouts = await api.list('rollouts', { deployment: name, limit: 1 });
    if (rollouts.items.length > 0) continue;
    await startRollout(api, name);
    onDone(`rollout of ${name} started`);
  }
}

async function startRollout(api: ApiClient, deployment: string): Promise<void> {
  try {
    await api.startRollout(deployment);
  } catch (error) {
    const somebodyWasQuicker = error instanceof ApiProblem && error.problem.status === 409;
    if (!somebodyWasQuicker) throw error;
  }
}

async function hostsAlive(api: ApiClient, names: readonly string[], signal: AbortSignal): Promise<void> {
  const deadline = Date.now() + WAIT_FOR_HOSTS_MS;
  while (Date.now() < deadline) {
    const { items } = await api.list('hosts', { limit: 100 });
    if (names.every((name) => items.find((h) => h.name === name)?.status.liveness === 'alive')) return;
    await delay(200, undefined, { signal });
  }
}
