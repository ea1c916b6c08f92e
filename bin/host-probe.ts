/** `uellm host --name N --probe`: what this host has, as a document for `uellm apply`. */
import { probeHost } from '../activities/host/probe/index.ts';
import { toYaml } from '../cli/output/print.ts';
import { acceleratorKind } from '../core/domain/accelerators.ts';
import { groupAccelerators } from '../core/domain/fleet.ts';
import type { HostProbe } from '../core/domain/host-probe.ts';
import { SLOW_LINK_BYTES_PER_SECOND } from '../core/domain/links.ts';

export interface PrintedProbe {
  /** For stdout: the document, or nothing where it would be wrong. */
  document: string;
  /** For stderr. */
  notes: string[];
}

/** @returns the exit code */
export async function printProbe(host: string): Promise<number> {
  const { document, notes } = describeProbe(host, await probeHost());
  process.stdout.write(document);
  for (const note of notes) process.stderr.write(`${note}\n`);
  return document === '' ? 1 : 0;
}

/** A kind left out would give those after it wrong indexes: there is a document only where all are known, and none is missing between them. */
export function describeProbe(name: string, { accelerators, links, problems }: HostProbe): PrintedProbe {
  const notes = problems.map(({ tool, message }) => `${tool}: ${message}`);
  if (accelerators.length === 0) return { document: '', notes: [...notes, 'no accelerators found'] };
  if (accelerators.some((a) => a.kind === null)) return { document: '', notes };
  if (accelerators.some((a, i) => a.index !== i)) {
    const indexes = accelerators.map((a) => a.index).join(', ');
    return { document: '', notes: [...notes, `only the accelerators ${indexes} work: declare those as well that should be there`] };
  }
  const groups = groupAccelerators(accelerators.flatMap((a) => a.kind ?? []));
  // Of fast links the catalog knows the figures; that they are not there it does not.
  const expectsFast = groups.some(({ kind }) => (acceleratorKind(kind).linkBandwidthBytesPerSecond ?? 0) >= SLOW_LINK_BYTES_PER_SECOND);
  const isSlow = links.length > 0 && links.every((l) => l.kind === 'pcie');
  const found = expectsFast && isSlow ? { links: [{ between: 'accelerators', kind: 'pcie' }] } : {};
  return { document: toYaml({ kind: 'Host', name, accelerators: groups, ...found }), notes };
}
