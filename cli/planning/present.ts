/** What is placed already: the `replicas` of an earlier plan or of a fleet file, or those of a running installation. */
import { z } from 'zod';
import { type FieldIssue, UellmError } from '../../core/domain/errors.ts';
import type { HostState } from '../../core/domain/fleet.ts';
import { nameSchema } from '../../core/domain/names.ts';
import type { Replica } from '../../core/domain/replica.ts';
import { parseInput } from '../../core/domain/validate.ts';
import { readYaml } from '../documents.ts';

const presentSchema = z.looseObject({
  replicas: z.array(
    z.looseObject({
      model: nameSchema,
      host: nameSchema,
      accelerators: z.array(z.number().int().nonnegative()).min(1).max(64),
      tensorParallel: z.number().int().positive().optional(),
    }),
  ),
});

/** @throws invalid-input for replicas on hosts or accelerators that the fleet has not, or that another replica has */
export function parsePresent(text: string, file: string, hosts: readonly HostState[]): Replica[] {
  const documents = readYaml(text, file);
  const { replicas } = parseInput(presentSchema, documents[0], file);
  const byName = new Map(hosts.map((h) => [h.name, h]));
  const taken = new Set<string>();
  const issues: FieldIssue[] = [];
  for (const [i, { host: name, accelerators, tensorParallel = accelerators.length }] of replicas.entries()) {
    const host = byName.get(name);
    const fault = (field: string, given: unknown, allowed: string) =>
      issues.push({ field: `replicas[${i}].${field}`, given: JSON.stringify(given), allowed });
    if (!host) fault('host', name, 'a host of the fleet');
    else if (accelerators.some((index) => index >= host.accelerators.length)) {
      fault('accelerators', accelerators, `indexes from 0 to ${host.accelerators.length - 1}`);
    } else if (new Set(accelerators).size < accelerators.length) fault('accelerators', accelerators, 'each accelerator once');
    else if (new Set(accelerators.map((index) => host.accelerators[index])).size > 1) {
      fault('accelerators', accelerators, 'accelerators of one kind');
    } else if (accelerators.some((index) => taken.has(`${name}/${index}`))) {
      fault('accelerators', accelerators, 'accelerators that no other replica has');
    } else if (accelerators.length % tensorParallel !== 0) {
      fault('tensorParallel', tensorParallel, `a divisor of its ${accelerators.length} accelerators`);
    }
    for (const index of accelerators) taken.add(`${name}/${index}`);
  }
  if (issues.length > 0) throw new UellmError({ kind: 'invalid-input', what: file, issues });
  return replicas.map(({ model, host, accelerators, tensorParallel }, i) => ({
    id: `present-${String(i + 1).padStart(6, '0')}`,
    model,
    deployment: model,
    revision: 1,
    host,
    accelerators,
    acceleratorKind: byName.get(host)!.accelerators[accelerators[0]!]!,
    tensorParallel: tensorParallel ?? accelerators.length,
    engine: 'vllm',
    endpoint: null,
    state: 'ready',
    generation: 1,
    weight: 100,
    simulated: false,
    reason: '',
  }));
}
