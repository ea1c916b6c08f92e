/** What runs is what the database says: no engine that nobody owns, no replica without its engine, and gateways that route by it. */

export interface RunningEngine {
  host: string;
  replicaId: string;
  generation: number;
  pid: number;
}

export interface LivingReplica {
  id: string;
  deployment: string;
  revision: number;
  host: string;
  generation: number;
  state: string;
  endpoint: string | null;
}

export interface GatewayView {
  name: string;
  replicas: readonly { id: string; healthy: boolean }[];
}

/** @param replicas the living ones */
export function orphans(engines: readonly RunningEngine[], replicas: readonly LivingReplica[]): string[] {
  return engines
    .filter((e) => !replicas.some((r) => r.id === e.replicaId && r.host === e.host && r.generation === e.generation))
    .map((e) => `process ${e.pid} on ${e.host} is generation ${e.generation} of ${e.replicaId}, which nobody owns`);
}

/**
 * For a system that has come to rest.
 * @param answering ids of the replicas whose endpoint answers that it is healthy
 */
export function disagreements(
  replicas: readonly LivingReplica[],
  engines: readonly RunningEngine[],
  answering: ReadonlySet<string>,
  gateways: readonly GatewayView[],
): string[] {
  const wrong: string[] = [];
  for (const { id, host, generation, state } of replicas) {
    const own = engines.filter((e) => e.replicaId === id && e.host === host && e.generation === generation);
    if (state !== 'ready') wrong.push(`replica ${id} is ${state}`);
    if (own.length !== 1) wrong.push(`replica ${id} has ${own.length} engines of generation ${generation} on ${host}`);
    if (!answering.has(id)) wrong.push(`the engine of replica ${id} does not answer`);
  }
  for (const { name, replicas: routed } of gateways) {
    for (const { id } of replicas) if (!routed.some((r) => r.id === id && r.healthy)) wrong.push(`${name} does not route to ${id}`);
    for (const { id } of routed) if (!replicas.some((r) => r.id === id)) wrong.push(`${name} routes to ${id}, which lives no more`);
  }
  return wrong;
}

/** Every deployment serves, on one revision alone. */
export function unserved(
  deployments: readonly { name: string; currentRevision: number | null; minReplicas: number }[],
  replicas: readonly LivingReplica[],
): string[] {
  return deployments.flatMap(({ name, currentRevision, minReplicas }) => {
    const own = replicas.filter((r) => r.deployment === name);
    const current = own.filter((r) => r.revision === currentRevision);
    const others = own.filter((r) => r.revision !== currentRevision);
    return [
      ...(current.length < minReplicas
        ? [`${name} has ${current.length} replicas of its current revision ${currentRevision}, wanted are ${minReplicas}`]
        : []),
      ...others.map((r) => `replica ${r.id} of revision ${r.revision} was left behind: ${currentRevision} is current`),
    ];
  });
}
