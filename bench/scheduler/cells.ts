/** The cells of the comparison: every traffic on every fleet under either promise, named `chat/h4/fixed`. */
import { UellmError } from '../../core/domain/errors.ts';
import { FLEETS, type FleetName } from './fleets.ts';
import { SLOS, type SloKind } from './slos.ts';
import { WORKLOADS, type WorkloadName } from './workloads.ts';

export interface Cell {
  name: string;
  workload: WorkloadName;
  fleet: FleetName;
  slo: SloKind;
  /** About what least-in-flight sustains at 90 %: searches begin there. */
  usualRate: number;
}

/** To a third, from trials; a search finds its way from anywhere, but each doubling costs it a run. */
const USUAL_RATE: Record<WorkloadName, Record<FleetName, number>> = {
  chat: { h4: 12, mixed: 10, '70b': 4, kv: 5 },
  mooncake: { h4: 1.6, mixed: 1, '70b': 0.6, kv: 0.45 },
  reasoning: { h4: 1.8, mixed: 1.3, '70b': 1.5, kv: 0.7 },
  summarise: { h4: 21, mixed: 13, '70b': 7, kv: 7.4 },
};

export const CELLS: readonly Cell[] = WORKLOADS.flatMap((workload) =>
  FLEETS.flatMap((fleet) =>
    SLOS.map((slo) => ({ name: `${workload}/${fleet}/${slo}`, workload, fleet, slo, usualRate: USUAL_RATE[workload][fleet] })),
  ),
);

/** @throws invalid-input that names the cells */
export function cellNamed(name: string): Cell {
  const found = CELLS.find((cell) => cell.name === name);
  if (found) return found;
  throw unknownCell(name);
}

/**
 * Cells by name or by the parts of it, from the left; a star is any part: `chat`, `chat/h4`, `a star and `/kv``.
 * @throws invalid-input for a pattern that no cell has
 */
export function cellsMatching(patterns: readonly string[]): Cell[] {
  const chosen = new Set(
    patterns.flatMap((pattern) => {
      const parts = pattern.split('/');
      const found = CELLS.filter(({ name }) => parts.every((part, i) => part === '*' || part === name.split('/')[i]));
      if (found.length === 0) throw unknownCell(pattern);
      return found;
    }),
  );
  return CELLS.filter((cell) => chosen.has(cell));
}

function unknownCell(given: string): UellmError {
  const allowed = `{${WORKLOADS.join(',')}}/{${FLEETS.join(',')}}/{${SLOS.join(',')}}`;
  return new UellmError({ kind: 'invalid-input', what: 'bench', issues: [{ field: '--cells', given: JSON.stringify(given), allowed }] });
}
