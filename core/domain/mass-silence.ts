/** Hosts that vanish together: it is more likely that we are away than they, and nothing is moved on that account. */
import type { HostState } from './fleet.ts';

/** More hosts than this share silent at once are silent together. */
const SHARE = 0.3;

export interface MassSilence {
  /** Names of the hosts that are silent. */
  silent: string[];
  /** Hosts that count. */
  known: number;
  /** So many may be silent before nothing moves: one of any fleet is always made good. */
  allowed: number;
}

/**
 * @param holding names of hosts with replicas. A lost host without any has been made good: it counts no longer, or a rack of dead machines
 *   that nobody has deleted would hold everything up for good.
 * @returns null where so few are silent that each may be taken for what it seems
 */
export function massSilence(
  hosts: readonly Pick<HostState, 'name' | 'liveness' | 'external'>[],
  holding: ReadonlySet<string>,
): MassSilence | null {
  const known = hosts.filter((h) => !h.external && h.liveness !== 'pending' && (h.liveness !== 'lost' || holding.has(h.name)));
  const silent = known.filter((h) => h.liveness !== 'alive').map((h) => h.name);
  const allowed = Math.max(1, Math.floor(SHARE * known.length));
  return silent.length > allowed ? { silent, known: known.length, allowed } : null;
}
