/** Declares the objects of `uellm up` and rolls out their deployments. What exists already is left as somebody made it. */
import { setTimeout as delay } from 'node:timers/promises';
import { type DeclaredObject, OBJECT_KINDS } from '../../core/domain/objects.ts';
import type { AdminApi } from './admin-api.ts';
import { localHosts } from './objects.ts';

/** A rollout does well without this wait; it only has more to choose from when every host has been heard of. */
const WAIT_FOR_HOSTS_MS = 15_000;

/** @returns one line for each thing that it did */
export async function declareFleet(api: AdminApi, objects: readonly DeclaredObject[], signal: AbortSignal): Promise<string[]> {
  const done: string[] = [];
  for (const kind of OBJECT_KINDS) {
    for (const object of objects.filter((o) => o.kind === kind)) {
      signal.throwIfAborted();
      if (await api.createIfAbsent(object)) done.push(`${kind} ${object.spec.name} declared`);
    }
  }
  await hostsAlive(api, localHosts(objects), signal);
  for (const object of objects.filter((o) => o.kind === 'Deployment')) {
    signal.throwIfAborted();
    const { name } = object.spec;
    if ((await api.rolloutsOf(name)).length > 0) continue;
    await api.startRollout(name);
    done.push(`rollout of ${name} started`);
  }
  return done;
}

async function hostsAlive(api: AdminApi, names: readonly string[], signal: AbortSignal): Promise<void> {
  const deadline = Date.now() + WAIT_FOR_HOSTS_MS;
  while (Date.now() < deadline) {
    const hosts = await api.hosts();
    if (names.every((name) => hosts.find((h) => h.name === name)?.status.liveness === 'alive')) return;
    await delay(200, undefined, { signal });
  }
}
