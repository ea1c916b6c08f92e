import type { HostResource } from '../../../api/schema/index.ts';
import { type AcceleratorBlock, joint, memoryParts, memoryText } from '../view/fleet-map.ts';
import { gibibytes } from '../view/format.ts';
import { replicaLabel } from '../view/tones.ts';

interface BlockProps {
  host: HostResource;
  block: AcceleratorBlock;
  series: (deployment: string) => number;
}

/** Accelerators that one replica holds, drawn as one piece with what is in their memory; or a free one. A line joins it with the one before. */
export function Block({ host, block, series }: BlockProps) {
  const { replica, count, first, kind } = block;
  const memoryBytes = host.status.accelerators.memoryBytes[first] ?? null;
  if (!replica) {
    return (
      <li class={`block block-free`} title={`${kind}, index ${first}: free`}>
        <Joint kind={joint(host, block)} />
        <span class="unseen">free</span>
        {memoryBytes !== null && <span class="block-note">{gibibytes(memoryBytes)}</span>}
      </li>
    );
  }
  const { label, tone } = replicaLabel(replica);
  const settled = tone === 'good';
  const where = count > 1 ? `indexes ${first} to ${first + count - 1}` : `index ${first}`;
  const parts = memoryParts(replica, memoryBytes);
  const memory = `memory of each: ${memoryText(replica, memoryBytes)}`;
  return (
    <li
      class={`block series-${series(replica.deployment)} block-${tone}`}
      style={{ gridColumn: `span ${count}` }}
      title={`${replica.id}: ${replica.deployment} revision ${replica.revision}, ${label}; ${kind} ${where}; ${memory}`}
    >
      <Joint kind={joint(host, block)} />
      <span class="block-name">{replica.deployment}</span>
      <span class="block-note">{settled ? `r${replica.revision}${count > 1 ? ` · TP ${replica.tensorParallel}` : ''}` : label}</span>
      {parts && (
        <span class="memory" role="img" aria-label={memory}>
          <i class="memory-weights" style={{ width: `${parts.weights * 100}%` }} />
          <i class="memory-used" style={{ width: `${parts.used * 100}%` }} />
          <i class="memory-cache" style={{ width: `${parts.cache * 100}%` }} />
        </span>
      )}
    </li>
  );
}

function Joint({ kind }: { kind: 'none' | 'slow' | 'fast' }) {
  return kind === 'none' ? null : <i class={`joint link-${kind}`} aria-hidden="true" />;
}
