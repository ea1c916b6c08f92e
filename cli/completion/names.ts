/** What the arguments of commands name, so that a shell can be told what there is. */
import type { Collection } from '../../api/client.ts';
import { COLLECTIONS, KINDS, parseKind, singular } from '../kinds.ts';

/** The kinds that a command takes; or the objects of a collection, which for some is named by the argument before. */
export type Named = { kinds: readonly string[] } | { collection: Collection } | { collectionOf: number };

const anyKind: Named = { kinds: KINDS };
const declaredKind: Named = { kinds: Object.values(COLLECTIONS).map(singular) };
const namedBefore: Named = { collectionOf: 0 };
const deployment: Named = { collection: 'deployments' };
const host: Named = { collection: 'hosts' };

/** By command, in the order of its arguments. What is not here has choices of its own, or is free. */
export const NAMED: Readonly<Record<string, readonly (Named | null)[]>> = {
  get: [anyKind, namedBefore],
  delete: [declaredKind, namedBefore],
  logs: [null, namedBefore],
  deploy: [deployment],
  cost: [deployment],
  diagnose: [deployment],
  mode: [deployment, null],
  'pilot report': [deployment],
  'pilot approve': [{ collection: 'proposals' }],
  'pilot decline': [{ collection: 'proposals' }],
  'rollout status': [deployment],
  'rollout pause': [deployment],
  'rollout resume': [deployment],
  'rollout approve': [deployment],
  'rollout abort': [deployment],
  'rollout rollback': [deployment],
  drain: [host],
  uncordon: [host],
};

/** @param given the arguments so far @returns undefined where they name no collection */
export function collectionOf(named: Exclude<Named, { kinds: readonly string[] }>, given: readonly string[]): Collection | undefined {
  if ('collection' in named) return named.collection;
  try {
    return parseKind(given[named.collectionOf] ?? '');
  } catch {
    return undefined;
  }
}
