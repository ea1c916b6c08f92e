/** From the rows of a trace to requests with classes and promises, at a rate. */
import { UellmError } from '../domain/errors.ts';
import { createRandom } from './random.ts';
import { SimulatedRequest } from './simulated-request.ts';
import { type SloClass, targetsOf } from './slo-classes.ts';
import type { TraceRequest } from './traces/rows.ts';

/** Tokens that an id in `prefixBlocks` stands for. Source: Mooncake's traces, which the field's name and form come from. */
export const TRACE_PREFIX_BLOCK_TOKENS = 512;

export interface RequestOptions {
  classes: readonly SloClass[];
  /** Arrivals come so many times as fast. */
  rateScale: number;
  seed: number;
}

/**
 * Rows that name a class have it; the others draw one by the classes' shares. The same seed gives the same classes at every rate.
 * @param trace by arrival
 * @throws invalid-input for a row whose class is none of the classes
 */
export function simulatedRequests(trace: readonly TraceRequest[], { classes, rateScale, seed }: RequestOptions): SimulatedRequest[] {
  const random = createRandom(`${seed}:classes`);
  const byName = new Map(classes.map((c) => [c.name, c]));
  const startMs = trace[0]?.arrivalMs ?? 0;
  return trace.map((row, index) => {
    const drawn = draw(classes, random());
    const sloClass = row.class === undefined ? drawn : byName.get(row.class);
    if (!sloClass) throw unknownClass(row.class ?? '', index, [...byName.keys()]);
    return new SimulatedRequest({
      id: String(index),
      class: sloClass.name,
      priority: sloClass.priority,
      arrivalMs: (row.arrivalMs - startMs) / rateScale,
      targets: targetsOf(sloClass, row.inputTokens),
      queue: sloClass.queue,
      inputTokens: row.inputTokens,
      outputTokens: row.outputTokens,
      prefix: row.prefixBlocks ? { blocks: row.prefixBlocks, blockTokens: TRACE_PREFIX_BLOCK_TOKENS } : null,
    });
  });
}

function draw(classes: readonly SloClass[], uniform: number): SloClass {
  let rest = uniform * classes.reduce((sum, c) => sum + c.share, 0);
  for (const sloClass of classes) {
    rest -= sloClass.share;
    if (rest < 0) return sloClass;
  }
  return classes.findLast((c) => c.share > 0) ?? classes[0]!;
}

function unknownClass(given: string, index: number, names: string[]): UellmError {
  return new UellmError({
    kind: 'invalid-input',
    what: 'trace',
    issues: [
      { field: `class of request ${index + 1}`, given: JSON.stringify(given), allowed: `one of the SLO file's: ${names.join(', ')}` },
    ],
  });
}
