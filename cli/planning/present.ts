/** What is placed already: the `replicas` of an earlier plan or of a fleet file, or those of a running installation. */
import { z } from 'zod';
import { type FieldIssue, UellmError } from '../../core/domain/errors.ts';
import type { HostState } from '../../core/domain/fleet.ts';
import { nameSchema } from '../../core/domain/names.ts';
import type { Replica } from '../../core/domain/replica.ts';
import { parseInput } from '../../core/domain/validate.ts';
import type { PresentPipeline } from '../../core/placement/fleet/spanning.ts';
import { readYaml } from '../documents.ts';

const accelerators = z.array(z.number().int().nonnegative()).min(1).max(64);
const presentSchema = z.looseObject({
  replicas: z.array(
    z.looseObject({
      model: nameSchema,
      host: nameSchema,
      accelerators,
      acceleratorKind: z.string().optional(),
      tensorParallel: z.number().int().positive().optional(),
      pipelineStages: z
        .array(
          z.looseObject({
            host: nameSchema,
            accelerators,
            acceleratorKind: z.string().optional(),
            tensorParallel: z.number().int().positive(),
            layers: z.number().int().positive().max(10_000),
          }),
        )
        .min(1)
        .max(1000)
        .optional(),
    }),
  ),
});
type Declared = z.infer<typeof presentSchema>['replicas'][number];
type Place = Pick<Declared, 'host' | 'accelerators' | 'acceleratorKind' | 'tensorParallel'>;

export interface PresentPlacement {
  replicas: Replica[];
  /** Those that stand on several hosts. */
  pipelines: PresentPipeline[];
}

/** @throws invalid-input for replicas on hosts or accelerators that the fleet has not, or that another replica has */
export function parsePresent(text: string, file: string, hosts: readonly HostState[]): PresentPlacement {
  const documents = readYaml(text, file);
  const { replicas } = parseInput(presentSchema, documents[0], file);
  const issues = placeIssues(replicas, new Map(hosts.map((h) => [h.name, h])));
  if (issues.length > 0) throw new UellmError({ kind: 'invalid-input', what: file, issues });
  const kindOf = (host: string, [first]: readonly number[]) => hosts.find((h) => h.name === host)!.accelerators[first!]!;
  const placement: PresentPlacement = { replicas: [], pipelines: [] };
  for (const [i, { model, host, accelerators, tensorParallel, pipelineStages }] of replicas.entries()) {
    const id = `present-${String(i + 1).padStart(6, '0')}`;
    if (pipelineStages && isSpanning(replicas[i]!)) {
      const stages = pipelineStages.map((s) => ({
        ...{ host: s.host, acceleratorKind: kindOf(s.host, s.accelerators), accelerators: s.accelerators },
        ...{ tensorParallel: s.tensorParallel, layers: s.layers },
      }));
      placement.pipelines.push({ id, deployment: model, stages });
      continue;
    }
    placement.replicas.push({
      ...{ id, model, deployment: model, revision: 1, host, accelerators, acceleratorKind: kindOf(host, accelerators) },
      ...{ tensorParallel: tensorParallel ?? accelerators.length, engine: 'vllm', endpoint: null, state: 'ready' },
      ...{ generation: 1, weight: 100, simulated: false, reason: '' },
    });
  }
  return placement;
}

/** A pipeline within a host has all of its accelerators there; of one across hosts, those of its first stage are told. */
function isSpanning({ host, accelerators, pipelineStages }: Declared): boolean {
  return pipelineStages!.some((s) => s.host !== host || s.accelerators.some((index) => !accelerators.includes(index)));
}

function placeIssues(replicas: readonly Declared[], byName: ReadonlyMap<string, HostState>): FieldIssue[] {
  const taken = new Set<string>();
  return replicas.flatMap((replica, i) => {
    const places = replica.pipelineStages && isSpanning(replica) ? replica.pipelineStages : [replica];
    return places.flatMap((place, s) => {
      const at = places.length > 1 || place !== replica ? `replicas[${i}].pipelineStages[${s}]` : `replicas[${i}]`;
      return placeIssue(place, at, byName, taken);
    });
  });
}

function placeIssue(
  { host: name, accelerators, acceleratorKind, tensorParallel = accelerators.length }: Place,
  at: string,
  byName: ReadonlyMap<string, HostState>,
  taken: Set<string>,
): FieldIssue[] {
  const fault = (field: string, given: unknown, allowed: string): FieldIssue[] => [
    { field: `${at}.${field}`, given: JSON.stringify(given), allowed },
  ];
  const host = byName.get(name);
  const places = accelerators.map((index) => `${name}/${index}`);
  const isTaken = places.some((place) => taken.has(place));
  for (const place of places) taken.add(place);
  if (!host) return fault('host', name, 'a host of the fleet');
  if (accelerators.some((index) => index >= host.accelerators.length)) {
    return fault('accelerators', accelerators, `indexes from 0 to ${host.accelerators.length - 1}`);
  }
  if (new Set(accelerators).size < accelerators.length) return fault('accelerators', accelerators, 'each accelerator once');
  if (new Set(accelerators.map((index) => host.accelerators[index])).size > 1) {
    return fault('accelerators', accelerators, 'accelerators of one kind');
  }
  const kind = host.accelerators[accelerators[0]!]!;
  if (acceleratorKind !== undefined && acceleratorKind !== kind) {
    return fault('acceleratorKind', acceleratorKind, `"${kind}", as the fleet has there`);
  }
  if (isTaken) return fault('accelerators', accelerators, 'accelerators that no other replica has');
  const isDivided = accelerators.length % tensorParallel === 0;
  return isDivided ? [] : fault('tensorParallel', tensorParallel, `a divisor of its ${accelerators.length} accelerators`);
}
