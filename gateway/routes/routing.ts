/**
 * What this gateway routes by: the table of replicas and policies, and the names under which they are asked for. A source brings it, as
 * a whole and again with each change: Postgres (`postgres-routing.ts`) or a file (`file-routing.ts`).
 */
import type { RoutingTable } from '../../core/domain/routing.ts';
import type { SloPolicy } from '../../core/domain/slo-policy.ts';
import { DEFAULT_WEIGHT, matchPolicy, type RequestIdentity } from '../../core/domain/slo-policy.ts';
import type { Tenant, TenantFeatures } from '../../core/domain/tenant.ts';
import type { RoutedKey } from '../../db/queries/keys.ts';

export interface RoutingView {
  table: RoutingTable;
  /** Deployments that exist, with replicas in the table or without. */
  deployments: readonly { name: string; model: string }[];
  /** Other names under which deployments and models may be asked for. */
  aliases?: Readonly<Record<string, string>>;
  /** Keys in force, beside the gateway's own. */
  keys?: readonly RoutedKey[];
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
  readonly #tenants: ReadonlyMap<string, Tenant>;
  readonly #destinations = new Map<string, Destination>();
  /** deployment → model */
  readonly #targets = new Map<string, string>();

  constructor({ table, deployments, aliases = {} }: RoutingView) {
    this.version = table.version;
    this.#policies = table.policies;
    this.#tenants = new Map((table.tenants ?? []).map((tenant) => [tenant.name, tenant]));
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
    for (const [alias, name] of Object.entries(aliases)) {
      const destination = this.#destinations.get(name);
      if (destination && !this.#destinations.has(alias)) this.#destinations.set(alias, destination);
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
    return this.#tenants.get(tenant)?.features ?? 'full';
  }

  /** A tenant's share of a class, where no policy sets another. */
  weightOf(tenant: string): number {
    return this.#tenants.get(tenant)?.weight ?? DEFAULT_WEIGHT;
  }

  policyFor(request: RequestIdentity): SloPolicy {
    return matchPolicy(this.#policies, request);
  }
}
