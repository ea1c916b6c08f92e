/**
 * What this gateway routes by: the table of replicas and policies, and the names under which they are asked for. A source brings it, as
 * a whole and again with each change: Postgres (`postgres-routing.ts`) or a file (`file-routing.ts`).
 */
import type { RoutingTable } from '../core/domain/routing.ts';
import type { SloPolicy } from '../core/domain/slo-policy.ts';
import { matchPolicy, type RequestIdentity } from '../core/domain/slo-policy.ts';
import type { TenantFeatures } from '../core/domain/tenant.ts';

export interface RoutingView {
  table: RoutingTable;
  /** Deployments that exist, with replicas in the table or without. */
  deployments: readonly { name: string; model: string }[];
}

export interface RoutingSource {
  /** Begins to bring views: the first as soon as there is one, then one for every change. Returns at once; never throws later. */
  start(apply: (view: RoutingView) => void): void;
  close(): Promise<void>;
}

/** Where requests for a name may go. */
export interface Destination {
  model: string;
  deployments: readonly string[];
}

/** A view, indexed for lookups. Replaced as a whole. */
export class Routes {
  readonly version: number;
  readonly #policies: readonly SloPolicy[];
  readonly #tenants: ReadonlyMap<string, TenantFeatures>;
  readonly #destinations = new Map<string, Destination>();
  /** deployment → model */
  readonly #targets = new Map<string, string>();

  constructor({ table, deployments }: RoutingView) {
    this.version = table.version;
    this.#policies = table.policies;
    this.#tenants = new Map((table.tenants ?? []).map(({ name, features }) => [name, features]));
    const models = new Map<string, string[]>();
    for (const { name, model } of deployments) this.#targets.set(name, model);
    for (const replica of table.replicas) this.#targets.set(replica.deployment, replica.model);
    for (const [name, model] of this.#targets) {
      this.#destinations.set(name, { model, deployments: [name] });
      const siblings = models.get(model);
      if (siblings) siblings.push(name);
      else models.set(model, [name]);
    }
    // A deployment's name goes before a model's.
    for (const [model, names] of models) {
      if (!this.#destinations.has(model)) this.#destinations.set(model, { model, deployments: names });
    }
  }

  /** A deployment by its name, or else all deployments of a model. */
  destination(name: string): Destination | undefined {
    return this.#destinations.get(name);
  }

  /** Every name that requests may ask for. */
  names(): string[] {
    return [...this.#destinations.keys()].sort();
  }

  /** By name. */
  deployments(): { name: string; model: string }[] {
    return [...this.#targets].map(([name, model]) => ({ name, model })).sort((a, b) => (a.name < b.name ? -1 : 1));
  }

  /** What the profiler may look at of a tenant's requests; everything where nothing was declared. */
  featuresOf(tenant: string): TenantFeatures {
    return this.#tenants.get(tenant) ?? 'full';
  }

  policyFor(request: RequestIdentity): SloPolicy {
    return matchPolicy(this.#policies, request);
  }
}
