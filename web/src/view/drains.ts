/** Drains as the page lists them: those of hosts that are out of service, and the receipts of earlier ones. */
import type { Drain, HostResource } from '../../../api/schema/index.ts';
import type { Tone } from './tones.ts';

export type KnownDrain = Pick<Drain, 'host' | 'phase' | 'reason' | 'remaining' | 'open' | 'waiting' | 'receipt'> & {
  workflowId: string | null;
};

/** Running ones first, then by host. */
export function knownDrains(underway: readonly Drain[], hosts: readonly HostResource[]): KnownDrain[] {
  const current = new Set(underway.map((d) => d.host));
  const earlier = hosts.flatMap(({ name, status: { lastDrain } }): KnownDrain[] =>
    lastDrain === null || current.has(name)
      ? []
      : [{ host: name, phase: 'drained', reason: '', remaining: [], open: [], waiting: [], receipt: lastDrain, workflowId: null }],
  );
  const running = [...underway].sort((a, b) => Number(b.running) - Number(a.running));
  return [...running, ...earlier];
}

export function drainTone(phase: Drain['phase']): Tone {
  switch (phase) {
    case 'drained':
      return 'good';
    case 'blocked':
    case 'cancelled':
      return 'warn';
    case 'failed':
      return 'bad';
    default:
      return 'busy';
  }
}
