/** What the documents of an `apply` file refer to: looked up before the first write, so that a file is applied whole or not at all. */
import type { ApiClient } from '../api/client.ts';
import { type FieldIssue, UellmError } from '../core/domain/errors.ts';
import { ANY } from '../core/domain/names.ts';
import type { DeclaredObject, ObjectKind } from '../core/domain/objects.ts';
import { COLLECTIONS } from './kinds.ts';

type SpecOf<K extends ObjectKind> = Extract<DeclaredObject, { kind: K }>['spec'];
type Lookup = <K extends 'Host' | 'Model'>(kind: K, name: string) => Promise<SpecOf<K> | undefined>;

/**
 * Finds everything that the objects name, in the file itself or else in the installation.
 * @returns warnings: what is allowed to name nothing yet, and does
 * @throws invalid-input with the issues that the API would have, of all documents
 */
export async function checkReferences(client: ApiClient, objects: readonly DeclaredObject[], file: string): Promise<string[]> {
  const lookUp = createLookup(client, objects);
  const issues: FieldIssue[] = [];
  const warnings: string[] = [];
  for (const object of objects) {
    const { kind, spec } = object;
    for (const issue of await issuesOf(object, lookUp)) issues.push({ ...issue, field: `${kind} '${spec.name}': ${issue.field}` });
    if (kind !== 'SloPolicy' || spec.match.model === ANY || (await lookUp('Model', spec.match.model))) continue;
    warnings.push(
      `SloPolicy '${spec.name}': match.model: no model named '${spec.match.model}' is declared, so no request falls under it yet`,
    );
  }
  if (issues.length > 0) throw new UellmError({ kind: 'invalid-input', what: file, issues });
  return warnings;
}

async function issuesOf({ kind, spec }: DeclaredObject, lookUp: Lookup): Promise<FieldIssue[]> {
  const issues: FieldIssue[] = [];
  const refuse = (field: string, name: string, allowed: string) => issues.push({ field, given: JSON.stringify(name), allowed });
  if (kind === 'Deployment') {
    if (!(await lookUp('Model', spec.model))) refuse('model', spec.model, 'the name of a model that is declared');
    for (const [index, name] of spec.placement.hosts.entries()) {
      const host = await lookUp('Host', name);
      if (!host || host.external) refuse(`placement.hosts[${index}]`, name, 'the name of a host that is declared, and not external');
    }
  }
  if (kind === 'Host') {
    for (const [index, { model }] of (spec.external?.endpoints ?? []).entries()) {
      if ((await lookUp('Model', model))?.config) continue;
      refuse(`external.endpoints[${index}].model`, model, 'the name of a declared model with a config');
    }
  }
  return issues;
}

/** Asks the API once for each name; what the file itself declares is as the file has it. */
function createLookup(client: ApiClient, objects: readonly DeclaredObject[]): Lookup {
  const found = new Map<string, Promise<unknown>>(objects.map(({ kind, spec }) => [`${kind}/${spec.name}`, Promise.resolve(spec)]));
  return async <K extends 'Host' | 'Model'>(kind: K, name: string) => {
    const key = `${kind}/${name}`;
    if (!found.has(key))
      found.set(
        key,
        client.find(COLLECTIONS[kind], name).then((answer) => answer?.object),
      );
    return found.get(key) as Promise<SpecOf<K> | undefined>;
  };
}
