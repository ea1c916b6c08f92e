/** External hosts: what their endpoints say becomes replicas that are routed at once, each on an even share of the host's accelerators. */
import { randomUUID } from 'node:crypto';
import { acceleratorKind } from '../../../core/domain/accelerators.ts';
import { engineBaseUrl } from '../../../core/domain/engine-url.ts';
import { type FieldIssue, UellmError } from '../../../core/domain/errors.ts';
import { expandAccelerators, type HostSpec } from '../../../core/domain/fleet.ts';
import { DEFAULT_MAX_SEQUENCES, kvCacheTokens, memorySettings } from '../../../core/domain/memory.ts';
import { type ModelShape, shapeOf } from '../../../core/domain/model-spec.ts';
import { priorStepTime } from '../../../core/domain/step-time.ts';
import type { Executor } from '../../../db/client.ts';
import { changeExternalReplicas, type ExternalReplica, livingExternalReplicas } from '../../../db/queries/external-replicas.ts';
import { lockModel } from '../../../db/queries/models.ts';

/** Makes the replicas of an external host those that its spec names; a host that is not external has none. @throws invalid-input */
export async function syncExternalReplicas(tx: Executor, spec: HostSpec): Promise<void> {
  const wanted = await declaredReplicas(tx, spec);
  const present = await livingExternalReplicas(tx, spec.name);
  const wantedKeys = new Set(wanted.map(keyOf));
  const presentKeys = new Set(present.map(keyOf));
  await changeExternalReplicas(tx, spec.name, {
    end: present.filter((r) => !wantedKeys.has(keyOf(r))).map((r) => r.id),
    add: wanted.filter((r) => !presentKeys.has(keyOf(r))),
  });
}

/** What makes two declarations the same replica. */
function keyOf({ endpoint, model, engine, acceleratorKind, accelerators, kvCacheTokens, maxInFlight }: ExternalReplica): string {
  return JSON.stringify([endpoint, model, engine, acceleratorKind, accelerators, kvCacheTokens, maxInFlight]);
}

async function declaredReplicas(tx: Executor, spec: HostSpec): Promise<ExternalReplica[]> {
  const endpoints = spec.external?.endpoints ?? [];
  const urls = endpoints.map((e) => engineBaseUrl(e.url));
  const shares = evenShares(spec, endpoints.length);
  const replicas: ExternalReplica[] = [];
  for (const [index, { model, engine, args }] of endpoints.entries()) {
    const at = `external.endpoints[${index}]`;
    const endpoint = urls[index]!;
    const { accelerators, kind } = shares[index]!;
    if (urls.indexOf(endpoint) !== index)
      throw invalidHost(spec, { field: `${at}.url`, given: JSON.stringify(endpoint), allowed: 'each URL once' });
    const shape = await shapeOfModel(tx, spec, model, `${at}.model`);
    const memory = memorySettings(args);
    const cache = kvCacheTokens(shape, acceleratorKind(kind), accelerators.length, memory);
    if (cache === 0) {
      const allowed = `a model whose weights fit into ${accelerators.length} ${kind}`;
      throw invalidHost(spec, { field: `${at}.model`, given: JSON.stringify(model), allowed });
    }
    replicas.push({
      id: `external-${spec.name}-${randomUUID().slice(0, 8)}`,
      model,
      host: spec.name,
      endpoint,
      engine,
      accelerators,
      acceleratorKind: kind,
      stepTime: priorStepTime(shape, acceleratorKind(kind), accelerators.length).coefficients,
      kvCacheTokens: cache,
      maxInFlight: memory.maxSequences ?? DEFAULT_MAX_SEQUENCES,
    });
  }
  return replicas;
}

async function shapeOfModel(tx: Executor, spec: HostSpec, name: string, field: string): Promise<ModelShape> {
  try {
    return shapeOf((await lockModel(tx, name, 'share')).spec);
  } catch (error) {
    if (!(error instanceof UellmError)) throw error;
    throw invalidHost(spec, { field, given: JSON.stringify(name), allowed: 'the name of a declared model with a config' });
  }
}

/** Splits a host's accelerators evenly, in index order. @throws invalid-input where they do not split into groups of one kind each */
function evenShares(spec: HostSpec, endpoints: number): { accelerators: number[]; kind: string }[] {
  const kinds = expandAccelerators(spec.accelerators);
  const size = kinds.length / endpoints;
  return Array.from({ length: endpoints }, (_, i) => {
    const accelerators = Array.from({ length: size }, (_, j) => i * size + j);
    const kind = kinds[i * size];
    if (!Number.isInteger(size) || kind === undefined || accelerators.some((a) => kinds[a] !== kind)) {
      const allowed = `a number of endpoints that splits the ${kinds.length} accelerators evenly, each share of one kind`;
      throw invalidHost(spec, { field: 'external.endpoints', given: `${endpoints} endpoints`, allowed });
    }
    return { accelerators, kind };
  });
}

function invalidHost(spec: HostSpec, issue: FieldIssue): UellmError {
  return new UellmError({ kind: 'invalid-input', what: `Host '${spec.name}'`, issues: [issue] });
}
