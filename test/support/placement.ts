/** A fleet in memory for tests of placement: built from objects as people declare them, moved by plans. */
import { readFileSync } from 'node:fs';
import { parseAllDocuments } from 'yaml';
import { ACCELERATOR_KINDS } from '../../core/domain/accelerators.ts';
import { DEFAULT_DEMAND, type Demand } from '../../core/domain/deployment.ts';
import { expandAccelerators, type HostState } from '../../core/domain/fleet.ts';
import { shapeOf } from '../../core/domain/model-spec.ts';
import { type DeclaredObject, parseObject } from '../../core/domain/objects.ts';
import type { PlanPurpose } from '../../core/domain/plan.ts';
import type { Replica } from '../../core/domain/replica.ts';
import type { SloTargets } from '../../core/domain/slo-policy.ts';
import { plan } from '../../core/placement/planner.ts';
import type { DeploymentDemand, PlanInput, PlanOutput, Prices } from '../../core/placement/types.ts';

export const CATALOG_PRICES: Prices = {
  byKind: Object.fromEntries(ACCELERATOR_KINDS.flatMap((k) => (k.usdPerHour === null ? [] : [[k.id, k.usdPerHour]]))),
  byHost: {},
};

/** Documents of the demo, as `uellm apply` reads them. */
export function demoObjects(): DeclaredObject[] {
  const file = new URL('../../infra/demo/fleet.yaml', import.meta.url);
  return parseAllDocuments(readFileSync(file, 'utf8')).map((doc, i) => parseObject(doc.toJS(), `document ${i + 1} of fleet.yaml`));
}

export interface Deployed {
  name: string;
  model: string;
  replicas?: { min: number; max: number };
  placement?: { hosts?: string[]; accelerators?: string[]; spread?: 'host' | 'none'; antiAffinity?: string[] };
  args?: Record<string, string | number | boolean>;
  demand?: Partial<Demand>;
  targets?: SloTargets | null;
  revision?: number;
}

/** A deployment to plan, with what tests rarely care about filled in. */
export function deployed({ name, model, demand, targets = null, revision = 1, args = {}, ...rest }: Deployed): DeploymentDemand {
  const declared = { kind: 'Deployment', name, model, engine: { kind: 'simulated', args }, ...rest };
  const object = parseObject(declared, 'test');
  if (object.kind !== 'Deployment') throw new Error('unreachable: it was declared as a Deployment');
  return { spec: object.spec, revision, demand: { ...DEFAULT_DEMAND, ...demand }, targets };
}

/** Hosts from a short text each: `h100-1: 4 H100-SXM`. */
export function fleetOf(...hosts: string[]): HostState[] {
  return hosts.map((text) => {
    const [, name = '', count = '', kind = ''] = /^([\w-]+): (\d+) ([\w-]+)$/.exec(text) ?? [];
    const accelerators = expandAccelerators([{ kind, count: Number(count) }]);
    return { name, accelerators, links: [], simulated: true, external: false, liveness: 'alive', service: 'schedulable' };
  });
}

/** A fleet that plans are made for and carried out on at once. */
export class TestFleet {
  hosts: HostState[];
  deployments: DeploymentDemand[];
  replicas: Replica[] = [];
  budget = { maxUnavailable: 0, maxMoving: 100 };
  prices: Prices = CATALOG_PRICES;
  private plans = 0;

  constructor(hosts: HostState[], deployments: DeploymentDemand[]) {
    this.hosts = hosts;
    this.deployments = deployments;
  }

  input(purpose: PlanPurpose, subject = 'cluster'): PlanInput {
    const ours = purpose === 'deploy' ? this.deployments.filter((d) => d.spec.name === subject) : this.deployments;
    return {
      purpose,
      subject,
      hosts: this.hosts,
      prices: this.prices,
      models: Object.fromEntries(
        [...new Set(this.deployments.map((d) => d.spec.model))].map((name) => [
          name,
          shapeOf({ name, source: `hf://test/${name}`, dtype: 'bf16' }),
        ]),
      ),
      deployments: ours,
      replicas: this.replicas,
      stepTimes: [],
      budget: this.budget,
      idPrefix: `p${this.plans + 1}`,
      ...(purpose === 'drain' ? { drainHost: subject } : {}),
    };
  }

  /** Plans, and carries the plan out. */
  run(purpose: PlanPurpose, subject = 'cluster'): PlanOutput {
    if (purpose === 'drain') this.host(subject).service = 'cordoned';
    const output = plan(this.input(purpose, subject));
    this.carryOut(output);
    return output;
  }

  carryOut({ moves }: Pick<PlanOutput, 'moves'>): void {
    this.plans++;
    for (const move of moves) {
      const leaves = move.kind === 'place' ? move.replaces : move.replicaId;
      this.replicas = this.replicas.filter((r) => r.id !== leaves);
      if (move.kind === 'retire') continue;
      const { replicaId: id, capacityRequestsPerSecond: _, replaces: __, kind: ___, ...rest } = move;
      this.replicas.push({ ...rest, id, endpoint: null, state: 'ready', generation: 1, weight: 100 });
    }
  }

  host(name: string): HostState {
    const host = this.hosts.find((h) => h.name === name);
    if (!host) throw new Error(`no host ${name}`);
    return host;
  }
}

/** A plan as text, for tests that compare it as a whole. */
export function planText({ moves, report }: PlanOutput): string {
  const money = (usd: number | null) => (usd === null ? 'unknown' : `${usd.toFixed(2)} USD/h`);
  return [
    report.summary,
    ...moves.map((m) =>
      m.kind === 'place'
        ? `+ ${m.replicaId} ${m.deployment} r${m.revision} on ${m.host} [${m.accelerators.join(' ')}]${m.replaces ? ` for ${m.replaces}` : ''}: ${m.reason}`
        : `- ${m.replicaId} ${m.deployment} from ${m.host}: ${m.reason}`,
    ),
    ...report.reasons.map((r) => `because ${r}`),
    ...report.waiting.map((w) => `${w.kind} on ${w.on}, ${w.subject}: ${w.message}${w.nearest ? ` (${w.nearest})` : ''}`),
    `cost ${money(report.costUsdPerHourBefore)} -> ${money(report.costUsdPerHourAfter)}`,
  ].join('\n');
}
