/** What is asked of a fleet: models, lengths and SLOs as services have them, drawn by a seed. */
import type { Demand } from '../../core/domain/deployment.ts';
import type { HostState } from '../../core/domain/fleet.ts';
import { KNOWN_CONFIGS, type ModelShape, modelShape } from '../../core/domain/model-spec.ts';
import type { SloTargets } from '../../core/domain/slo-policy.ts';
import { isAllowed } from '../../core/placement/choose.ts';
import { openShapeBook, type ShapeBook, TENSOR_PARALLEL_WIDTHS } from '../../core/placement/shapes.ts';
import type { DeploymentDemand } from '../../core/placement/types.ts';
import type { Random } from '../../core/simulator/random.ts';

/** Known models, and some of them with 8-bit weights. */
const MODELS = [
  ...['llama-3.1-8b', 'qwen3-8b', 'mistral-7b', 'qwen2.5-7b', 'qwen3-30b-a3b', 'gpt-oss-20b', 'gpt-oss-120b'],
  ...['qwen3-32b', 'mixtral-8x7b', 'llama-3.1-70b', 'qwen2.5-72b'],
].map((name) => modelShape(name, KNOWN_CONFIGS[name]!, 'bf16'));
const QUANTISED = ['qwen3-32b', 'llama-3.1-70b', 'qwen2.5-72b', 'qwen3-235b-a22b'].map((name) =>
  modelShape(`${name}-fp8`, KNOWN_CONFIGS[name]!, 'fp8'),
);

type Lengths = Pick<Demand, 'inputTokens' | 'outputTokens'>;

/** Chat and code: means of Azure's 2023 traces (CC-BY-4.0). The others stand for summaries, retrieval and long answers. */
const LENGTHS: readonly Lengths[] = [
  { inputTokens: 1155, outputTokens: 211 },
  { inputTokens: 2048, outputTokens: 28 },
  { inputTokens: 300, outputTokens: 400 },
  { inputTokens: 3800, outputTokens: 260 },
  { inputTokens: 6000, outputTokens: 350 },
  { inputTokens: 700, outputTokens: 1900 },
];

/** From tight to loose. Where nothing in a fleet attains what was drawn, the next is asked for. */
const TARGETS: readonly Omit<SloTargets, 'attainment'>[] = [
  { ttftMs: 500, tpotMs: 30 },
  { ttftMs: 1000, tpotMs: 50 },
  { ttftMs: 2000, tpotMs: 80 },
  { ttftMs: 5000, tpotMs: 150 },
  { e2eMs: 240_000 },
];
const ATTAINMENTS = [0.9, 0.95, 0.99] as const;

const PINNED_HOSTS = 8;

export interface Wishes {
  models: Record<string, ModelShape>;
  deployments: DeploymentDemand[];
}

/**
 * So many deployments that the fleet can serve each by itself, at rates that together take about `load` of it: 1 is what the fleet serves
 * were it divided between them, each with its best shapes on every host. A fleet of different kinds, well assigned, serves more than that.
 */
export function drawWishes(random: Random, hosts: readonly HostState[], { count, load }: { count: number; load: number }): Wishes {
  const models: Record<string, ModelShape> = {};
  const drawn: { deployment: DeploymentDemand; wholeFleet: number; share: number }[] = [];
  while (drawn.length < count) {
    const name = `m${String(drawn.length + 1).padStart(2, '0')}`;
    models[name] = pick(random, random() < 0.25 ? QUANTISED : MODELS);
    const deployment = drawDeployment(random, name, hosts);
    const attainable = attainableBy(deployment, models, hosts, Math.floor(random() * TARGETS.length));
    if (attainable) drawn.push({ ...attainable, share: 0.1 - Math.log(1 - random()) });
  }
  const shares = drawn.reduce((sum, d) => sum + d.share, 0);
  for (const { deployment, wholeFleet, share } of drawn) deployment.demand.requestsPerSecond = (load * wholeFleet * share) / shares;
  return { models, deployments: drawn.map((d) => d.deployment) };
}

/** One in six may use only some kinds, one in twelve only a few neighbours; one in four wants a second replica whatever the demand. */
function drawDeployment(random: Random, name: string, hosts: readonly HostState[]): DeploymentDemand {
  const kinds = [...new Set(hosts.flatMap((h) => h.accelerators))];
  const min = random() < 0.25 ? 2 : random() < 0.5 ? 1 : 0;
  const accelerators = random() < 1 / 6 ? kinds.filter(() => random() < 0.6) : [];
  const first = Math.floor(random() * hosts.length);
  const pinned = random() < 1 / 12 ? hosts.slice(first, first + PINNED_HOSTS).map((h) => h.name) : [];
  return {
    spec: {
      name,
      model: name,
      engine: { kind: 'vllm', args: {} },
      replicas: { min, max: 1000 },
      placement: { hosts: pinned, accelerators, spread: 'host' },
      rollout: { strategy: 'canary', steps: [], approval: 'auto' },
      mode: 'auto',
    },
    revision: 1,
    demand: { requestsPerSecond: 0, ...pick(random, LENGTHS) },
    targets: { attainment: pick(random, ATTAINMENTS) },
  };
}

/** With the first targets from `tightest` on that some shape in the fleet attains. */
function attainableBy(
  deployment: DeploymentDemand,
  models: Record<string, ModelShape>,
  hosts: readonly HostState[],
  tightest: number,
): { deployment: DeploymentDemand; wholeFleet: number } | undefined {
  for (const targets of TARGETS.slice(tightest)) {
    const asked = { ...deployment, targets: { ...deployment.targets!, ...targets } };
    const book = openShapeBook({ models, stepTimes: [] });
    const wholeFleet = hosts.reduce((sum, host) => sum + mostServedBy(book, asked, host), 0);
    if (wholeFleet > 0) return { deployment: asked, wholeFleet };
  }
  return undefined;
}

/** Requests a second of a whole host, each kind in its best shape. */
function mostServedBy(book: ShapeBook, deployment: DeploymentDemand, host: HostState): number {
  return [...new Set(host.accelerators)].reduce((sum, kind) => {
    if (!isAllowed(deployment, host, kind)) return sum;
    const count = host.accelerators.filter((k) => k === kind).length;
    const served = TENSOR_PARALLEL_WIDTHS.filter((width) => width <= count).map((width) => {
      const capacity = book.shape(deployment, host, kind, width)?.capacity;
      return capacity?.meetsSlo ? Math.floor(count / width) * capacity.requestsPerSecond : 0;
    });
    return sum + Math.max(0, ...served);
  }, 0);
}

function pick<T>(random: Random, items: readonly T[]): T {
  return items[Math.floor(random() * items.length)]!;
}
