/** What would be otherwise in a what-if, and whether it can be asked of a fleet. */
import type { DeploymentMode } from '../domain/deployment.ts';
import { type FieldIssue, UellmError } from '../domain/errors.ts';
import type { HostSpec } from '../domain/fleet.ts';
import type { SloPolicy } from '../domain/slo-policy.ts';
import type { FleetInput } from '../placement/fleet/problem.ts';

export interface WhatIfChange {
  /** Each in the place of the one of its name, or beside the others. */
  policies: readonly SloPolicy[];
  /** By kind, whatever hosts say; USD an hour of one accelerator. */
  prices: Readonly<Record<string, number>>;
  addHosts: readonly HostSpec[];
  removeHosts: readonly string[];
  /** How many replicas deployments shall have; as many as now where absent. */
  replicas: Readonly<Record<string, number>>;
  /** The modes that deployments shall have; as now where absent. */
  modes: Readonly<Record<string, DeploymentMode>>;
}

export const NO_CHANGE: WhatIfChange = { policies: [], prices: {}, addHosts: [], removeHosts: [], replicas: {}, modes: {} };

/** @throws invalid-input for a host or a deployment that is not there, or is there already */
export function checkChange(fleet: FleetInput, { addHosts, removeHosts, replicas, modes }: WhatIfChange): void {
  const issues: FieldIssue[] = [];
  const hosts = fleet.hosts.map(({ name }) => name);
  const deployments = fleet.deployments.map(({ spec }) => spec.name);
  const oneOf = (names: readonly string[], what: string) =>
    names.length > 0 ? `one of ${names.join(', ')}` : `nothing: there is no ${what}`;
  for (const [i, name] of removeHosts.entries()) {
    if (!hosts.includes(name)) issues.push({ field: `removeHosts[${i}]`, given: JSON.stringify(name), allowed: oneOf(hosts, 'host') });
  }
  for (const [i, { name, external }] of addHosts.entries()) {
    if (hosts.includes(name))
      issues.push({ field: `addHosts[${i}].name`, given: JSON.stringify(name), allowed: 'the name of no host that is there' });
    if (external) issues.push({ field: `addHosts[${i}].external`, given: 'endpoints', allowed: 'nothing: how fast they are is not known' });
  }
  for (const [field, named] of Object.entries({ replicas, modes })) {
    for (const name of Object.keys(named)) {
      if (deployments.includes(name)) continue;
      issues.push({ field: `${field}.${name}`, given: JSON.stringify(name), allowed: oneOf(deployments, 'deployment that serves') });
    }
  }
  if (issues.length > 0) throw new UellmError({ kind: 'invalid-input', what: 'the request body', issues });
}
