/** Hosts and the accelerators in them: as declared (the Host object) and as they are (HostState). */
import { z } from 'zod';
import { acceleratorKindSchema, MAX_USD_PER_HOUR } from './accelerators.ts';
import { engineArgsSchema } from './deployment.ts';
import { engineUrlSchema } from './engine-url.ts';
import { linkSpecSchema } from './links.ts';
import { nameSchema } from './names.ts';

/** A twelfth of 365 days: what prices by the month are turned into prices by the hour with. */
export const HOURS_PER_MONTH = 730;

export const acceleratorGroupSchema = z
  .strictObject({
    kind: acceleratorKindSchema,
    count: z.number().int().min(1).max(64),
    /** The catalog's price where absent. */
    usdPerHour: z.number().nonnegative().max(MAX_USD_PER_HOUR).optional(),
    /** Of one's own: what one of them cost, written off evenly over so many months. */
    purchase: z.strictObject({ usd: z.number().nonnegative().max(1e6), months: z.number().int().min(1).max(240) }).optional(),
  })
  .refine((g) => g.usdPerHour === undefined || g.purchase === undefined, {
    path: ['purchase'],
    message: 'absent where usdPerHour is given: they are two prices of one accelerator',
  });

/** The price that a host declares for one accelerator of a group, USD an hour; undefined where it declares none. */
export function declaredUsdPerHour({ usdPerHour, purchase }: z.infer<typeof acceleratorGroupSchema>): number | undefined {
  return purchase ? purchase.usd / (purchase.months * HOURS_PER_MONTH) : usdPerHour;
}

export const externalEndpointSchema = z.strictObject({
  /** Base URL of a server that someone else runs: OpenAI-compatible, or the HTTP port of a Triton with its metrics two ports above. */
  url: engineUrlSchema,
  /** Declared under this name, and served under it too. */
  model: nameSchema,
  engine: z.enum(['vllm', 'triton']).default('vllm'),
  /** The flags that it was started with, as far as they decide what it holds: gpu-memory-utilization, max-num-seqs, kv-cache-dtype. */
  args: engineArgsSchema.default({}),
});

export const hostSpecSchema = z
  .strictObject({
    name: nameSchema,
    accelerators: z.array(acceleratorGroupSchema).min(1).max(16),
    links: z.array(linkSpecSchema).default([]),
    /** Engines on this host only imitate accelerators; shown as such everywhere. */
    simulated: z.boolean().default(false),
    /** Engines that run already and are only routed and measured, never started or stopped. */
    external: z.strictObject({ endpoints: z.array(externalEndpointSchema).min(1) }).optional(),
    /** What it costs beside its accelerators, used or not: room, power, network, people. Reports count it; planning does not. */
    fixedUsdPerMonth: z.number().nonnegative().max(1e6).optional(),
  })
  .refine((h) => !(h.simulated && h.external), { path: ['external'], message: 'absent on a simulated host' });
export type HostSpec = z.infer<typeof hostSpecSchema>;

/**
 * ready → (cordoned → draining → drained) → ready by `uncordon`; ready → suspect after 15 s of silence → lost after 60 s more.
 * `pending` is declared but has never been heard of.
 */
export const hostLivenessSchema = z.enum(['pending', 'alive', 'suspect', 'lost']);
export const hostServiceSchema = z.enum(['schedulable', 'cordoned', 'draining', 'drained']);
export type HostLiveness = z.infer<typeof hostLivenessSchema>;
export type HostService = z.infer<typeof hostServiceSchema>;

/** A host as planning sees it. */
export interface HostState {
  name: string;
  /** One entry an accelerator, in index order: its kind. */
  accelerators: string[];
  /** Indexes of those that the host's own tools do not find: nothing is placed on them. */
  absent?: readonly number[];
  links: HostSpec['links'];
  simulated: boolean;
  external: boolean;
  liveness: HostLiveness;
  service: HostService;
}

/** The accelerators of a host in index order, one kind each. */
export function expandAccelerators(groups: HostSpec['accelerators']): string[] {
  return groups.flatMap((g) => Array.from({ length: g.count }, () => g.kind));
}

/** A declared host as planning would see it, were it there: alive and open to work. */
export function hostStateOf({ name, accelerators, links, simulated, external }: HostSpec): HostState {
  return {
    name,
    accelerators: expandAccelerators(accelerators),
    links,
    simulated,
    external: external !== undefined,
    liveness: 'alive',
    service: 'schedulable',
  };
}

/** By kind, USD an hour of one accelerator: what the host declares. */
export function declaredPricesOf({ accelerators }: Pick<HostSpec, 'accelerators'>): Record<string, number> {
  return Object.fromEntries(
    accelerators.flatMap((group) => {
      const usdPerHour = declaredUsdPerHour(group);
      return usdPerHour === undefined ? [] : [[group.kind, usdPerHour] as const];
    }),
  );
}

/** The other way round: neighbours of one kind are a group. */
export function groupAccelerators(kinds: readonly string[]): { kind: string; count: number }[] {
  const groups: { kind: string; count: number }[] = [];
  for (const kind of kinds) {
    const last = groups.at(-1);
    if (last?.kind === kind) last.count += 1;
    else groups.push({ kind, count: 1 });
  }
  return groups;
}

/** May new work be placed here? */
export function isSchedulable(host: Pick<HostState, 'liveness' | 'service' | 'external'>): boolean {
  return host.liveness === 'alive' && host.service === 'schedulable' && !host.external;
}
