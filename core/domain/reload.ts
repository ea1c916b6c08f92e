/**
 * Strategy `reload`: engines load the new revision beside the old one, where they stand. What they were placed for stays as it is, so that not
 * every change can be made this way; what cannot is refused before anything is touched.
 */
import { type AcceleratorKind, acceleratorKind } from './accelerators.ts';
import { type DeploymentSpec, type EngineKind, isReloadable } from './deployment.ts';
import { DEFAULT_MEMORY_UTILISATION, kvCacheTokens, memorySettings } from './memory.ts';
import type { ModelShape } from './model-spec.ts';
import type { Refusal } from './refusal.ts';
import { type ReplicaState, START_ATTEMPTS } from './replica.ts';

/**
 * From the generation that an engine serves to the one that is loaded beside it: beyond all that starting a crashed engine again may use
 * meanwhile, and end after it.
 */
export const GENERATIONS_TO_RELOAD = START_ATTEMPTS + 2;

export interface ServedRevision {
  spec: DeploymentSpec;
  shape: ModelShape;
}

export interface ReloadCandidate {
  id: string;
  host: string;
  engine: EngineKind;
  acceleratorKind: string;
  tensorParallel: number;
  state: ReplicaState;
  /** What it serves now. */
  old: ServedRevision;
}

/** Can these replicas, all that a deployment has of earlier revisions, serve `wanted` instead? @returns why not; null where they can */
export function reloadRefusal(wanted: ServedRevision, replicas: readonly ReloadCandidate[]): Refusal | null {
  const { name, replicas: count, placement } = wanted.spec;
  const refuse = (on: Refusal['on'], message: string, nearest = INSTEAD): Refusal => ({
    ...{ kind: 'refused', on, subject: name },
    message: `no reload: ${message}`,
    nearest,
  });
  if (replicas.length < count.min || replicas.length > count.max) {
    const given = count.min === count.max ? `${count.min}` : `${count.min} to ${count.max}`;
    return refuse('replicas', `${replicas.length} replicas are there, and the new revision is to have ${given} (replicas)`);
  }
  for (const { id, host, engine, acceleratorKind: kind, tensorParallel, old } of replicas) {
    if (engine !== wanted.spec.engine.kind || !isReloadable(engine))
      return refuse('placement', `${id} is of engine kind ${engine}, the new revision of ${wanted.spec.engine.kind} (engine.kind)`);
    if (placement.hosts.length > 0 && !placement.hosts.includes(host))
      return refuse('placement', `${id} stands on host ${host}, which the new revision excludes (placement.hosts)`);
    if (placement.accelerators.length > 0 && !placement.accelerators.some((allowed) => allowed === kind))
      return refuse('accelerators', `${id} stands on ${kind}, which the new revision excludes (placement.accelerators)`);
    const accelerator = acceleratorKind(kind);
    const [before, after] = [old, wanted].map((revision) => memoryShare(revision, accelerator, tensorParallel)) as [number, number];
    const percent = (share: number) => `${Math.round(100 * share)} %`;
    if (before + after > 1) {
      const shares = `the old engine takes ${percent(before)} of the memory of each ${kind}, the new one ${percent(after)}`;
      return refuse('memory', `${id} has no room for both: ${shares}`, `lower gpu-memory-utilization in engine.args; ${INSTEAD}`);
    }
    if (!isPython(wanted.spec) && kvCacheTokens(wanted.shape, accelerator, tensorParallel, memorySettings(wanted.spec.engine.args)) === 0)
      return refuse(
        'memory',
        `the new weights do not fit ${tensorParallel} x ${kind}, on which ${id} stands, at ${percent(after)} of its memory`,
      );
  }
  const busy = replicas.find((r) => r.state !== 'ready');
  if (!busy) return null;
  return {
    kind: 'waiting',
    on: 'replicas',
    subject: name,
    message: `${busy.id} is ${busy.state}: only an engine that serves can be reloaded`,
  };
}

const INSTEAD = 'strategy canary or blue-green, where there is room for both revisions, else recreate';

/** An own Python model takes what it takes: its weights at least. */
const isPython = ({ engine }: DeploymentSpec) => engine.args.backend === 'python';

function memoryShare({ spec, shape }: ServedRevision, { memoryBytes }: AcceleratorKind, tensorParallel: number): number {
  if (isPython(spec)) return shape.weightsBytes / tensorParallel / memoryBytes;
  return memorySettings(spec.engine.args).memoryUtilisation ?? DEFAULT_MEMORY_UTILISATION;
}
