/**
 * Fleet files: documents as `uellm apply` takes them, of which hosts and models count; or one object
 * `{ hosts: [...], replicas?: [{ model, host, accelerators: [indexes], tensorParallel }], models?: [{ name, config, dtype }] }`.
 */
import { z } from 'zod';
import { UellmError } from '../../core/domain/errors.ts';
import { type HostSpec, hostSpecSchema } from '../../core/domain/fleet.ts';
import { dtypeSchema, type Model, modelConfigSchema } from '../../core/domain/model-spec.ts';
import { nameSchema } from '../../core/domain/names.ts';
import type { DeclaredObject } from '../../core/domain/objects.ts';
import { parseInput } from '../../core/domain/validate.ts';
import { parseDocuments, readYaml } from '../documents.ts';

const replicaSchema = z.strictObject({
  model: nameSchema,
  host: nameSchema,
  /** Indexes of the host's accelerators, in the order in which it declares them. */
  accelerators: z.array(z.number().int().nonnegative()).min(1).max(64),
  /** As many as there are accelerators where absent. */
  tensorParallel: z.number().int().positive().optional(),
});
export type DeclaredReplica = z.infer<typeof replicaSchema>;

/** In a list that says what it lists, a document's `kind` is not needed and does no harm. */
const without = (kind: string) => (value: unknown) => {
  if (typeof value !== 'object' || value === null || (value as { kind?: unknown }).kind !== kind) return value;
  const { kind: _, ...spec } = value as Record<string, unknown>;
  return spec;
};

const modelSchema = z.strictObject({
  name: nameSchema,
  source: z.string().optional(),
  config: modelConfigSchema.optional(),
  dtype: dtypeSchema.default('bf16'),
});
export type FleetModel = Pick<Model, 'name' | 'config' | 'dtype'>;

const once = (items: readonly { name: string }[]) => new Set(items.map(({ name }) => name)).size === items.length;
const fleetSchema = z.strictObject({
  hosts: z
    .array(z.preprocess(without('Host'), hostSpecSchema))
    .min(1)
    .max(10_000)
    .refine(once, 'hosts of different names'),
  replicas: z.array(replicaSchema).min(1).max(100_000).optional(),
  models: z
    .array(z.preprocess(without('Model'), modelSchema))
    .refine(once, 'models of different names')
    .default([]),
});

export interface FleetFile {
  hosts: HostSpec[];
  /** Absent: every host is to be filled. */
  replicas?: DeclaredReplica[] | undefined;
  models: FleetModel[];
  notes: string[];
}

/** @param file its name, for errors @throws invalid-input that names every field that is wrong */
export function parseFleet(text: string, file: string): FleetFile {
  const documents = readYaml(text, file);
  const [first] = documents;
  const isDocument = typeof first === 'object' && first !== null && 'kind' in first;
  if (documents.length === 1 && !isDocument) return { ...parseInput(fleetSchema, first, file), notes: [] };
  return fromDocuments(parseDocuments(text, file), file);
}

function fromDocuments(objects: readonly DeclaredObject[], file: string): FleetFile {
  const hosts = objects.flatMap((object) => (object.kind === 'Host' ? [object.spec] : []));
  const models = objects.flatMap((object) => (object.kind === 'Model' ? [object.spec] : []));
  if (hosts.length === 0) {
    const issues = [{ field: 'kind', given: 'no document of kind Host', allowed: 'at least one' }];
    throw new UellmError({ kind: 'invalid-input', what: file, issues });
  }
  const unused = [...new Set(objects.map(({ kind }) => kind))].filter((kind) => kind !== 'Host' && kind !== 'Model');
  const notes = unused.length > 0 ? [`documents of kind ${unused.join(' and ')} in ${file} play no part in a simulation`] : [];
  return { hosts, models, notes };
}
