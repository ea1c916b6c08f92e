/** Links between accelerators: what tensor parallelism and pipelines pay for. */
import { z } from 'zod';
import type { AcceleratorKind } from './accelerators.ts';

export const linkKindSchema = z.enum(['nvlink', 'xgmi', 'pcie', 'ethernet', 'infiniband']);

export const linkSpecSchema = z.strictObject({
  /** `accelerators` of this host, or `hosts`: from this host to any other. */
  between: z.enum(['accelerators', 'hosts']),
  kind: linkKindSchema.optional(),
  /** Measured; the catalog's where absent. */
  bandwidthBytesPerSecond: z.number().positive().optional(),
  latencySeconds: z.number().nonnegative().optional(),
});
export type LinkSpec = z.infer<typeof linkSpecSchema>;

export interface Link {
  bandwidthBytesPerSecond: number;
  latencySeconds: number;
}

/** Orders of magnitude where nothing was measured. Sources: Vidur's network profiles (A100, H100), aiconfigurator (PCIe). */
const DEFAULTS: Record<z.infer<typeof linkKindSchema>, Link> = {
  nvlink: { bandwidthBytesPerSecond: 300e9, latencySeconds: 10e-6 },
  xgmi: { bandwidthBytesPerSecond: 300e9, latencySeconds: 10e-6 },
  pcie: { bandwidthBytesPerSecond: 18.6e9, latencySeconds: 12e-6 },
  infiniband: { bandwidthBytesPerSecond: 36e9, latencySeconds: 19e-6 },
  ethernet: { bandwidthBytesPerSecond: 8e9, latencySeconds: 29e-6 },
};

/** Bandwidth below which a link is slow: cards that only share PCIe. */
export const SLOW_LINK_BYTES_PER_SECOND = 50e9;

/** The link between the accelerators of one host: what was declared, else what the catalog says of the kind. */
export function intraHostLink(links: readonly LinkSpec[], accelerator: Pick<AcceleratorKind, 'linkBandwidthBytesPerSecond'>): Link {
  const spec = links.find((l) => l.between === 'accelerators');
  const catalog = accelerator.linkBandwidthBytesPerSecond ?? DEFAULTS.pcie.bandwidthBytesPerSecond;
  const base: Link = spec?.kind
    ? DEFAULTS[spec.kind]
    : { bandwidthBytesPerSecond: catalog, latencySeconds: DEFAULTS.nvlink.latencySeconds };
  const isFabric = spec?.kind === 'nvlink' || spec?.kind === 'xgmi';
  return {
    bandwidthBytesPerSecond:
      spec?.bandwidthBytesPerSecond ?? (isFabric ? Math.max(catalog, base.bandwidthBytesPerSecond) : base.bandwidthBytesPerSecond),
    latencySeconds: spec?.latencySeconds ?? base.latencySeconds,
  };
}

/** An accelerator and the host it sits in, as links see them. */
export interface LinkEnd {
  host: string;
  links: readonly LinkSpec[];
  accelerator: Pick<AcceleratorKind, 'id' | 'linkBandwidthBytesPerSecond'>;
}

/**
 * The link between two accelerators. Kinds that share a host meet over PCIe, whatever joins each with its like; between hosts the
 * slower of what both declare, Ethernet where they declare nothing.
 */
export function linkBetween(a: LinkEnd, b: LinkEnd): Link {
  if (a.host !== b.host) return slowest([hostLink(a.links), hostLink(b.links)]);
  const ends = [intraHostLink(a.links, a.accelerator), intraHostLink(b.links, b.accelerator)];
  return a.accelerator.id === b.accelerator.id ? ends[0]! : slowest([...ends, DEFAULTS.pcie]);
}

function hostLink(links: readonly LinkSpec[]): Link {
  const spec = links.find((l) => l.between === 'hosts');
  const base = DEFAULTS[spec?.kind ?? 'ethernet'];
  return {
    bandwidthBytesPerSecond: spec?.bandwidthBytesPerSecond ?? base.bandwidthBytesPerSecond,
    latencySeconds: spec?.latencySeconds ?? base.latencySeconds,
  };
}

function slowest(links: readonly Link[]): Link {
  return {
    bandwidthBytesPerSecond: Math.min(...links.map((l) => l.bandwidthBytesPerSecond)),
    latencySeconds: Math.max(...links.map((l) => l.latencySeconds)),
  };
}
