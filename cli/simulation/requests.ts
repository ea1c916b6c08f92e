/** The requests of a simulation: a trace's, or a named workload's, with what is to be known of them. */
import { basename } from 'node:path';
import { counted } from '../../core/domain/counted.ts';
import type { SloClass } from '../../core/simulator/slo-classes.ts';
import type { TraceRequest } from '../../core/simulator/traces/rows.ts';
import type { RejectedRows } from '../../core/simulator/traces/trace.ts';
import { syntheticWorkload } from '../../core/simulator/workloads/synthetic.ts';
import { DEFAULT_REQUESTS, type SimulateFlags } from './flags.ts';
import { readTraceFile } from './trace-file.ts';

export interface RequestSource {
  /** File or workload. */
  name: string;
  format: string;
  /** By arrival. A workload is drawn anew for each seed, a trace is always the same. */
  requests(seed: number): readonly TraceRequest[];
  notes: string[];
  rejectedRows: RejectedRows;
}

/** A pause that is worth a word: nothing arrives for so long. */
const GAP_MS = 60_000;
const SHOWN_ROWS = 3;

/** @throws invalid-input for a trace that cannot be read or holds no request */
export async function openRequests(flags: SimulateFlags, classes: readonly SloClass[]): Promise<RequestSource> {
  return flags.workload === undefined ? await openTrace(flags.trace!, flags, classes) : openWorkload(flags.workload, flags, classes);
}

async function openTrace(path: string, { format: asked, limit }: SimulateFlags, classes: readonly SloClass[]): Promise<RequestSource> {
  const names = classes.map(({ name }) => name);
  const { requests: all, rejected, notes: oddities, format } = await readTraceFile(path, { format: asked, classes: names });
  const requests = all.slice(0, limit);
  const { outOfOrder, duplicates, unreadFields } = oddities;
  const unread = Object.entries(unreadFields).slice(0, SHOWN_ROWS);
  const notes = [
    ...limitNotes(requests.length, all.length),
    ...(rejected.count > 0 ? [rejectedNote(rejected)] : []),
    ...(outOfOrder > 0 ? [`${counted(outOfOrder, 'row')} of the trace ${plural(outOfOrder)} out of order: sorted by arrival`] : []),
    ...(duplicates > 0 ? [`${counted(duplicates, 'row')} of the trace ${plural(duplicates)} equal to an earlier one: kept`] : []),
    ...unread.map(
      ([name, rows]) =>
        `${counted(rows, 'row')} of the trace with ${JSON.stringify(name)}, which the ${format} format does not know: not read`,
    ),
    ...gapNotes(requests),
  ];
  return { name: basename(path), format, requests: () => requests, notes, rejectedRows: rejected };
}

function openWorkload(name: string, flags: SimulateFlags, classes: readonly SloClass[]): RequestSource {
  const { requests: drawn = DEFAULT_REQUESTS, rate: requestsPerSecond, limit } = flags;
  const draw = (seed: number) => syntheticWorkload(name, { seed, requests: drawn, requestsPerSecond }).slice(0, limit);
  const first = draw(flags.seed);
  // A workload is lengths and arrivals; its mix of classes serves only an SLO file that has them.
  const strange = [...new Set(first.map((request) => request.class))].filter((c) => !classes.some((known) => known.name === c));
  const notes = [...limitNotes(first.length, drawn), ...gapNotes(first)];
  if (strange.length > 0) notes.push(`the SLO file has no class ${strange.join(', ')} of the workload: classes are drawn by its shares`);
  const requests = (seed: number) => {
    const own = seed === flags.seed ? first : draw(seed);
    return strange.length > 0 ? own.map((request) => ({ ...request, class: undefined })) : own;
  };
  return { name: `workload ${name}`, format: 'synthetic', requests, notes, rejectedRows: { count: 0, examples: [] } };
}

function limitNotes(taken: number, all: number): string[] {
  return taken < all ? [`the first ${taken} of ${counted(all, 'request')}`] : [];
}

function rejectedNote({ count: rejected, examples }: RejectedRows): string {
  const shown = examples.slice(0, SHOWN_ROWS).map(({ line, reason }) => `line ${line}: ${reason}`);
  const more = rejected > shown.length ? `; and ${rejected - shown.length} more` : '';
  return `${counted(rejected, 'row')} of the trace ${rejected === 1 ? 'is no request' : 'are no requests'}: ${shown.join('; ')}${more}`;
}

function gapNotes(requests: readonly TraceRequest[]): string[] {
  const gapsMs = requests.slice(1).flatMap(({ arrivalMs }, i) => {
    const gapMs = arrivalMs - requests[i]!.arrivalMs;
    return gapMs > GAP_MS ? [gapMs] : [];
  });
  if (gapsMs.length === 0) return [];
  const longest = gapsMs.reduce((a, b) => Math.max(a, b));
  return [
    `${counted(gapsMs.length, 'gap')} of more than ${GAP_MS / 1000} s without an arrival, the longest ${(longest / 1000).toFixed(1)} s`,
  ];
}

const plural = (n: number) => (n === 1 ? 'is' : 'are');
