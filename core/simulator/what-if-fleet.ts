/** The present and the changed situation of a what-if: policies, the scheduler, and which replicas serve at what price. */
import type { DeploymentMode } from '../domain/deployment.ts';
import { diffLines } from '../domain/diff-lines.ts';
import { declaredPricesOf, type HostSpec } from '../domain/fleet.ts';
import type { RoutedReplica } from '../domain/routing.ts';
import type { SloPolicy } from '../domain/slo-policy.ts';
import { pricePerHour } from '../placement/cost.ts';
import type { FleetInput } from '../placement/fleet/problem.ts';
import { compareText } from '../placement/rank.ts';
import type { Prices } from '../placement/types.ts';
import { ChangedFleet, type Placed, presentReplicas } from './changed-fleet.ts';
import { DEFAULT_MAX_BATCHED_TOKENS } from './engine-state.ts';
import { replayScheduler } from './gateway-scheduler.ts';
import type { ServingReplica, Situation } from './replay.ts';
import type { WhatIfChange } from './what-if-change.ts';

export interface PresentFleet {
  fleet: FleetInput;
  /** Replicas that are routed, with their step-time models. */
  routed: readonly RoutedReplica[];
  policies: readonly SloPolicy[];
  /** Of tenants that declare one. */
  tenantWeights: Readonly<Record<string, number>>;
  /** By which live gateways schedule, the policy of most of them first. */
  gatewayPolicies: readonly string[];
  /** By deployment; `auto` where absent. */
  modes: Readonly<Record<string, DeploymentMode>>;
}

export interface Situations {
  before: Situation;
  after: Situation;
  /** What differs, a line each. */
  changes: string[];
  notes: string[];
}

type Modes = PresentFleet['modes'];

/** @param change as `checkChange` lets it pass */
export function situations(present: PresentFleet, change: WhatIfChange): Situations {
  const now = presentReplicas(present.fleet, present.routed);
  const prices = changedPrices(withOwnPrices(present.fleet.prices, change.addHosts), change.prices);
  const changed = new ChangedFleet(present.fleet, change, now);
  const scheduler = replayScheduler(present.gatewayPolicies);
  const situation = (policies: readonly SloPolicy[], replicas: readonly Placed[], paid: Prices, modes: Modes): Situation => ({
    policies,
    tenantWeights: present.tenantWeights,
    replicas: replicas.map((replica) => serving(replica, present.fleet, paid)),
    scheduler: scheduler.policy,
    shadowed: Object.keys(modes).filter((deployment) => modes[deployment] === 'shadow'),
  });
  const replaced = new Set(change.policies.map(({ name }) => name));
  return {
    before: situation(present.policies, now, present.fleet.prices, present.modes),
    after: situation([...present.policies.filter(({ name }) => !replaced.has(name)), ...change.policies], changed.replicas, prices, {
      ...present.modes,
      ...change.modes,
    }),
    changes: [
      ...change.policies.flatMap((policy) => policyChanges(present.policies, policy)),
      ...Object.entries(change.prices).map(([kind, usd]) => `${kind}: ${presentPrice(present.fleet, kind)} -> ${usd} USD/h`),
      ...changed.changes,
      ...Object.entries(change.modes).map(([name, mode]) => `${name}: mode ${present.modes[name] ?? 'auto'} -> ${mode}`),
    ],
    notes: [...scheduler.notes, ...changed.notes],
  };
}

function serving(replica: Placed, { deployments, models }: FleetInput, prices: Prices): ServingReplica {
  const spec = deployments.find((d) => d.spec.name === replica.deployment)?.spec;
  const args = spec?.engine.args ?? {};
  const price = pricePerHour(prices, replica.host, replica.acceleratorKind);
  const context = args['max-model-len'] ?? (spec && models[spec.model]?.maxContextTokens);
  return {
    deployment: replica.deployment,
    spec: {
      id: replica.id,
      stepTime: replica.stepTime,
      kvCacheTokens: replica.kvCacheTokens,
      maxContextTokens: context === undefined ? Number.POSITIVE_INFINITY : Number(context),
      maxSequences: replica.maxSequences,
      maxBatchedTokens: Number(args['max-num-batched-tokens'] ?? DEFAULT_MAX_BATCHED_TOKENS),
      // As engines are started.
      scheduling: args['scheduling-policy'] === 'fcfs' ? 'fcfs' : 'priority',
      // Observations do not say which prompts begin alike.
      prefixBlockTokens: null,
      usdPerHour: price === null ? null : price * replica.accelerators.length,
    },
  };
}

function changedPrices({ byKind, byHost }: Prices, changed: Readonly<Record<string, number>>): Prices {
  const keeps = ([kind]: [string, number]) => !(kind in changed);
  return {
    byKind: { ...byKind, ...changed },
    byHost: Object.fromEntries(Object.entries(byHost).map(([host, own]) => [host, Object.fromEntries(Object.entries(own).filter(keeps))])),
  };
}

function withOwnPrices(prices: Prices, hosts: readonly HostSpec[]): Prices {
  return { ...prices, byHost: { ...prices.byHost, ...Object.fromEntries(hosts.map((h) => [h.name, declaredPricesOf(h)])) } };
}

/** Hosts may differ. */
function presentPrice({ hosts, prices }: FleetInput, kind: string): string {
  const on = hosts.filter(({ accelerators }) => accelerators.includes(kind));
  const all = on.length > 0 ? on.map(({ name }) => pricePerHour(prices, name, kind)) : [prices.byKind[kind] ?? null];
  return [...new Set(all.map((usd) => (usd === null ? 'no price' : String(usd))))].sort(compareText).join(' or ');
}

function policyChanges(present: readonly SloPolicy[], policy: SloPolicy): string[] {
  const old = present.find(({ name }) => name === policy.name);
  if (!old) return [`SloPolicy ${policy.name}: new`];
  return diffLines(old, policy).map((line) => `SloPolicy ${policy.name}: ${line}`);
}
