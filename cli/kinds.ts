/** The kinds of things that commands take, under every name that people try. */
import { InvalidArgumentError } from 'commander';
import type { Collection, DeclaredCollection } from '../api/client.ts';
import type { ObjectKind } from '../core/domain/objects.ts';

const NAMES: Record<Collection, readonly string[]> = {
  hosts: ['host', 'hosts'],
  models: ['model', 'models'],
  'slo-policies': ['slo-policy', 'slo-policies', 'slopolicy', 'slopolicies', 'policy', 'policies'],
  tenants: ['tenant', 'tenants'],
  deployments: ['deployment', 'deployments', 'deploy'],
  replicas: ['replica', 'replicas'],
  plans: ['plan', 'plans'],
  proposals: ['proposal', 'proposals'],
  rollouts: ['rollout', 'rollouts'],
  observations: ['observation', 'observations'],
  corrections: ['correction', 'corrections'],
  audit: ['audit'],
  keys: ['key', 'keys'],
};

/** Every kind by its first name. */
export const KINDS: readonly string[] = Object.values(NAMES).map(([name]) => name!);

/** The collection of each kind that `apply` takes. */
export const COLLECTIONS: Record<ObjectKind, DeclaredCollection> = {
  Host: 'hosts',
  Model: 'models',
  SloPolicy: 'slo-policies',
  Tenant: 'tenants',
  Deployment: 'deployments',
};
const OBJECT_KINDS = new Map<Collection, ObjectKind>(
  Object.entries(COLLECTIONS).map(([kind, collection]) => [collection, kind as ObjectKind]),
);

/** The kind that a document of this collection has in an `apply` file; undefined for what is only recorded. */
export function objectKindOf(collection: Collection): ObjectKind | undefined {
  return OBJECT_KINDS.get(collection);
}

/** One of a collection, in a sentence. */
export function singular(collection: Collection): string {
  return NAMES[collection][0]!;
}

/** For commander: any kind. */
export function parseKind(text: string): Collection {
  return find(text, Object.keys(NAMES) as Collection[]);
}

/** For commander: a kind that people declare, and may delete. */
export function parseDeclaredKind(text: string): DeclaredCollection {
  return find(text, Object.values(COLLECTIONS));
}

function find<C extends Collection>(text: string, collections: readonly C[]): C {
  const found = collections.find((collection) => NAMES[collection].includes(text.toLowerCase()));
  if (!found) throw new InvalidArgumentError(`KIND is one of ${collections.map(singular).join(', ')}.`);
  return found;
}
