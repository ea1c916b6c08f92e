/** From a fleet to the engines that are simulated: those that it declares, or every host filled with replicas of one model. */
import { type AcceleratorKind, acceleratorKind } from '../../core/domain/accelerators.ts';
import { counted } from '../../core/domain/counted.ts';
import { type FieldIssue, UellmError } from '../../core/domain/errors.ts';
import { declaredUsdPerHour, type HostSpec } from '../../core/domain/fleet.ts';
import { kvCacheTokens } from '../../core/domain/memory.ts';
import { KNOWN_CONFIGS, type ModelShape, shapeOf } from '../../core/domain/model-spec.ts';
import { priorStepTime, type StepTimeSource } from '../../core/domain/step-time.ts';
import { TENSOR_PARALLEL_WIDTHS } from '../../core/placement/shapes.ts';
import type { ReplicaSpec } from '../../core/simulator/simulated-replica.ts';
import type { SimulateFlags } from './flags.ts';
import type { DeclaredReplica, FleetFile } from './fleet-file.ts';

export interface PlacedReplica {
  id: string;
  model: string;
  host: string;
  acceleratorKind: string;
  /** Indexes on the host. */
  accelerators: number[];
  tensorParallel: number;
  kvCacheTokens: number;
  stepTimeSource: StepTimeSource;
  /** Of all its accelerators; null without a price. */
  usdPerHour: number | null;
  spec: ReplicaSpec;
}

export interface Placement {
  replicas: PlacedReplica[];
  model: ModelShape;
  notes: string[];
}

export type EngineOptions = Pick<SimulateFlags, 'stepOverheadMs' | 'chunkTokens' | 'maxSequences' | 'memory' | 'scheduling'> & {
  /** null where engines cache no prefixes. */
  prefixBlockTokens: number | null;
};

export interface PlacementOptions {
  /** As `--model` says. */
  model: string | undefined;
  engine: EngineOptions;
  /** A host is filled at the narrowest width that holds one request of so many tokens, its output included. */
  typicalTokens: number;
  file: string;
}

const DEFAULT_MODEL = 'llama-3.1-8b';

interface Accelerator {
  index: number;
  kind: AcceleratorKind;
  usdPerHour: number | null;
}

/**
 * @throws invalid-input for a model nobody knows, and for declared replicas that cannot be: on unknown hosts, on accelerators that there
 *   are not or that another has; refused where nothing fits
 */
export function placeReplicas(fleet: FleetFile, options: PlacementOptions): Placement {
  const placement = fleet.replicas ? placeDeclared(fleet, fleet.replicas, options) : fillHosts(fleet, options);
  placement.notes.push(...fleetNotes(fleet.hosts, placement.replicas));
  return placement;
}

function placeDeclared(fleet: FleetFile, declared: readonly DeclaredReplica[], options: PlacementOptions): Placement {
  const issues = declared.flatMap((replica, i) => issuesOf(replica, `replicas[${i}]`, fleet.hosts));
  issues.push(...overlaps(declared));
  if (issues.length > 0) throw new UellmError({ kind: 'invalid-input', what: options.file, issues });
  const names = [...new Set(declared.map(({ model }) => model))];
  const name = options.model ?? names[0]!;
  if (options.model === undefined && names.length > 1)
    throw wrongModel(`replicas of ${names.join(', ')}`, 'one of them: one model is simulated');
  if (!names.includes(name)) throw wrongModel(JSON.stringify(name), `one that ${options.file} has replicas of: ${names.join(', ')}`);
  const model = modelNamed(name, fleet, options);
  const own = declared.filter((replica) => replica.model === name);
  const notes = own.length < declared.length ? [`replicas of ${names.filter((n) => n !== name).join(', ')} are left out`] : [];
  const replicas = own.map(({ host: hostName, accelerators, tensorParallel = accelerators.length }) => {
    const host = fleet.hosts.find((h) => h.name === hostName)!;
    const used = acceleratorsOf(host).filter(({ index }) => accelerators.includes(index));
    const placed = makeReplica(model, host, used, tensorParallel, options.engine);
    if (!placed) {
      const heads = model.attentionHeads;
      const why =
        heads % tensorParallel > 0 ? `they do not divide its ${heads} attention heads` : 'its weights leave no room for a KV cache';
      throw refused(model.name, `${model.name} does not fit ${tensorParallel} × ${used[0]!.kind.id} of ${hostName}: ${why}`);
    }
    return placed;
  });
  return { replicas, model, notes };
}

function issuesOf(
  { model: _, host: name, accelerators, tensorParallel }: DeclaredReplica,
  at: string,
  hosts: readonly HostSpec[],
): FieldIssue[] {
  const host = hosts.find((h) => h.name === name);
  if (!host) return [{ field: `${at}.host`, given: JSON.stringify(name), allowed: `one of ${hosts.map((h) => h.name).join(', ')}` }];
  const all = acceleratorsOf(host);
  const given = JSON.stringify(accelerators);
  const issue = (allowed: string) => ({ field: `${at}.accelerators`, given, allowed });
  if (accelerators.some((index) => index >= all.length)) return [issue(`indexes of ${name}'s accelerators: 0 to ${all.length - 1}`)];
  if (new Set(accelerators).size < accelerators.length) return [issue('each index once')];
  if (new Set(accelerators.map((index) => all[index]!.kind.id)).size > 1) return [issue('accelerators of one kind')];
  if (tensorParallel === undefined || tensorParallel === accelerators.length) return [];
  return [{ field: `${at}.tensorParallel`, given: String(tensorParallel), allowed: `as many as its accelerators: ${accelerators.length}` }];
}

function overlaps(declared: readonly DeclaredReplica[]): FieldIssue[] {
  const taken = new Map<string, number>();
  return declared.flatMap(({ host, accelerators }, i) => {
    const others = accelerators.flatMap((index) => {
      const other = taken.get(`${host}/${index}`);
      taken.set(`${host}/${index}`, other ?? i);
      return other === undefined || other === i ? [] : [other];
    });
    if (others.length === 0) return [];
    const allowed = `accelerators of ${host} that no other replica has: replicas[${others[0]}] has some of these`;
    return [{ field: `replicas[${i}].accelerators`, given: JSON.stringify(accelerators), allowed }];
  });
}

function fillHosts(fleet: FleetFile, options: PlacementOptions): Placement {
  const model = modelNamed(options.model ?? DEFAULT_MODEL, fleet, options);
  const leastTokens = Math.min(options.typicalTokens, model.maxContextTokens);
  const notes: string[] = [];
  const unfit: string[] = [];
  const replicas = fleet.hosts.flatMap((host) =>
    [...new Set(acceleratorsOf(host).map(({ kind }) => kind.id))].flatMap((kindId) => {
      const free = acceleratorsOf(host).filter(({ kind }) => kind.id === kindId);
      const what = `${free.length} × ${kindId}`;
      const placed = fill(model, host, free, leastTokens, options.engine);
      const [first] = placed;
      if (!first) {
        unfit.push(`${host.name} (${what})`);
        return [];
      }
      const idle = free.length - placed.length * first.tensorParallel;
      const left = idle > 0 ? `; ${idle} of them idle and not paid for` : '';
      notes.push(`${host.name}: ${counted(placed.length, 'replica')} at tensor parallelism ${first.tensorParallel} on ${what}${left}`);
      return placed;
    }),
  );
  const need = `its weights and a KV cache of ${leastTokens} tokens, which suffices for 99 % of the requests one at a time`;
  if (replicas.length === 0)
    throw refused(
      model.name,
      `${model.name} fits none of the hosts: ${unfit.join(', ')}; looked for room for ${need}, at tensor parallelism ${TENSOR_PARALLEL_WIDTHS.join(', ')}`,
    );
  notes.unshift(`hosts are filled with ${model.name} at the narrowest tensor parallelism that holds ${need}`);
  if (unfit.length > 0) notes.push(`${model.name} does not fit ${unfit.join(', ')}: without a replica`);
  return { replicas, model, notes };
}

/** As many replicas as there is room for, at the narrowest width that fits; none where none does. */
function fill(
  model: ModelShape,
  host: HostSpec,
  free: readonly Accelerator[],
  leastTokens: number,
  engine: EngineOptions,
): PlacedReplica[] {
  for (const width of TENSOR_PARALLEL_WIDTHS) {
    if (width > free.length) break;
    const placed = Array.from({ length: Math.floor(free.length / width) }, (_, i) =>
      makeReplica(model, host, free.slice(i * width, (i + 1) * width), width, engine),
    ).filter((replica) => replica !== null);
    if (placed[0] && placed[0].kvCacheTokens >= leastTokens) return placed;
  }
  return [];
}

/** null where the model does not fit. */
function makeReplica(
  model: ModelShape,
  host: HostSpec,
  accelerators: readonly Accelerator[],
  tensorParallel: number,
  { stepOverheadMs, chunkTokens, maxSequences, memory, scheduling, prefixBlockTokens }: EngineOptions,
): PlacedReplica | null {
  const { kind } = accelerators[0]!;
  if (model.attentionHeads % tensorParallel !== 0) return null;
  const tokens = kvCacheTokens(model, kind, tensorParallel, { memoryUtilisation: memory });
  if (tokens === 0) return null;
  const { coefficients, source } = priorStepTime(model, kind, tensorParallel);
  const usdPerHour = accelerators.reduce<number | null>((sum, a) => (sum === null || a.usdPerHour === null ? null : sum + a.usdPerHour), 0);
  const id = `${host.name}/${accelerators.map(({ index }) => index).join('+')}`;
  return {
    id,
    model: model.name,
    host: host.name,
    acceleratorKind: kind.id,
    accelerators: accelerators.map(({ index }) => index),
    tensorParallel,
    kvCacheTokens: tokens,
    stepTimeSource: source,
    usdPerHour,
    spec: {
      id,
      stepTime: { ...coefficients, o: stepOverheadMs },
      kvCacheTokens: tokens,
      maxContextTokens: model.maxContextTokens,
      maxSequences,
      maxBatchedTokens: chunkTokens,
      scheduling,
      prefixBlockTokens,
      usdPerHour,
    },
  };
}

function fleetNotes(hosts: readonly HostSpec[], replicas: readonly PlacedReplica[]): string[] {
  const derived = [
    ...new Set(replicas.filter((r) => r.stepTimeSource === 'derived').map((r) => `${r.tensorParallel} × ${r.acceleratorKind}`)),
  ];
  const unpriced = [...new Set(replicas.filter((r) => r.usdPerHour === null).map((r) => r.acceleratorKind))];
  const linked = hosts.filter(({ name, links }) => links.length > 0 && replicas.some((r) => r.host === name && r.tensorParallel > 1));
  return [
    ...(derived.length > 0 ? [`step times on ${derived.join(', ')} follow from the catalog's figures: nobody measured them`] : []),
    ...(unpriced.length > 0 ? [`no cost: ${unpriced.join(', ')} has no price (usdPerHour of its host)`] : []),
    ...(linked.length > 0
      ? [`links of ${linked.map(({ name }) => name).join(', ')} are not simulated: step times are those of the usual ones`]
      : []),
  ];
}

function acceleratorsOf(host: HostSpec): Accelerator[] {
  return host.accelerators
    .flatMap((group) => {
      const kind = acceleratorKind(group.kind);
      const usdPerHour = declaredUsdPerHour(group) ?? kind.usdPerHour;
      return Array.from({ length: group.count }, () => ({ kind, usdPerHour }));
    })
    .map((accelerator, index) => ({ ...accelerator, index }));
}

function modelNamed(name: string, { models }: FleetFile, { model: asked, file }: PlacementOptions): ModelShape {
  const declared = models.find((model) => model.name === name);
  if (declared) return shapeOf({ source: '', ...declared });
  const known = [...new Set([...models.map((model) => model.name), ...Object.keys(KNOWN_CONFIGS)])];
  if (!Object.hasOwn(KNOWN_CONFIGS, name)) {
    const issue = { given: JSON.stringify(name), allowed: `one of ${known.join(', ')}, or one that the file itself has under models` };
    const [what, field] = asked === undefined ? [file, 'model of the replicas'] : ['the command line', '--model'];
    throw new UellmError({ kind: 'invalid-input', what, issues: [{ field, ...issue }] });
  }
  return shapeOf({ name, source: '', dtype: 'bf16' });
}

function wrongModel(given: string, allowed: string): UellmError {
  return new UellmError({ kind: 'invalid-input', what: 'the command line', issues: [{ field: '--model', given, allowed }] });
}

function refused(subject: string, message: string): UellmError {
  return new UellmError({ kind: 'refused', refusal: { kind: 'refused', on: 'memory', subject, message } });
}
