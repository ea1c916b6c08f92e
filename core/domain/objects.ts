/** The kinds of objects that people declare, as `uellm apply` and the REST API take them. */
import type { z } from 'zod';
import { deploymentSpecSchema } from './deployment.ts';
import { UellmError } from './errors.ts';
import { hostSpecSchema } from './fleet.ts';
import { modelSchema } from './model-spec.ts';
import { sloPolicySchema } from './slo-policy.ts';
import { tenantSchema } from './tenant.ts';
import { parseInput } from './validate.ts';

export const OBJECT_SCHEMAS = {
  Host: hostSpecSchema,
  Model: modelSchema,
  SloPolicy: sloPolicySchema,
  Tenant: tenantSchema,
  Deployment: deploymentSpecSchema,
} as const;
export type ObjectKind = keyof typeof OBJECT_SCHEMAS;
export type DeclaredObject = { [K in ObjectKind]: { kind: K; spec: z.output<(typeof OBJECT_SCHEMAS)[K]> } }[ObjectKind];

/** The order in which kinds are applied: what others refer to comes first. */
export const OBJECT_KINDS: readonly ObjectKind[] = ['Host', 'Model', 'SloPolicy', 'Tenant', 'Deployment'];

/** One document of an `apply` file. @throws invalid-input that names the field */
export function parseObject(document: unknown, where: string): DeclaredObject {
  const kind = (document as { kind?: unknown } | null)?.kind;
  const known = OBJECT_KINDS.find((k) => k === kind);
  if (!known) {
    const given = kind === undefined ? 'nothing' : JSON.stringify(kind);
    throw new UellmError({
      kind: 'invalid-input',
      what: where,
      issues: [{ field: 'kind', given, allowed: `one of ${OBJECT_KINDS.join(', ')}` }],
    });
  }
  const { kind: _, ...spec } = document as Record<string, unknown>;
  const name = typeof spec.name === 'string' ? ` '${spec.name}'` : '';
  return { kind: known, spec: parseInput(OBJECT_SCHEMAS[known], spec, `${where}: ${known}${name}`) } as DeclaredObject;
}
