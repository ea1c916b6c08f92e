/**
 * `uellm simulate`: reads a trace, a fleet and an SLO file, runs `core/simulator`, and tells what came of it. Needs no installation.
 *
 * `flags.ts` is the command line, `requests.ts`, `fleet-file.ts` and `replicas.ts` the inputs, `run-all.ts` the runs, `tables.ts`,
 * `report-page.ts` and `progress.ts` what people see. `commands/simulate.ts` loads this folder only when it is asked for.
 */
import { writeFile } from 'node:fs/promises';
import { counted } from '../../core/domain/counted.ts';
import type { UellmError } from '../../core/domain/errors.ts';
import { TRACE_PREFIX_BLOCK_TOKENS } from '../../core/simulator/requests.ts';
import type { TraceRequest } from '../../core/simulator/traces/rows.ts';
import { useAccelerators } from '../accelerators.ts';
import { type OutputOptions, print } from '../output/print.ts';
import { renderReport } from '../report/report.ts';
import type { Terminal } from '../terminal.ts';
import { checkWritable, readSloFile, readText, unusable } from './files.ts';
import { parseFlags, type SimulateFlags } from './flags.ts';
import { parseFleet } from './fleet-file.ts';
import { createSimulationProgress } from './progress.ts';
import { type PlacedReplica, placeReplicas } from './replicas.ts';
import { reportHeader } from './report-page.ts';
import { openRequests } from './requests.ts';
import { countRuns, runAll } from './run-all.ts';
import { runTables, unreachableText } from './tables.ts';

/** @param options as commander has them @throws invalid-input, refused */
export async function simulateCommand(terminal: Terminal, options: OutputOptions): Promise<void> {
  const { output, json: _, ...texts } = options as OutputOptions & { json?: boolean };
  const flags = parseFlags(texts);
  if (flags.report !== undefined) await checkWritable('--report', flags.report, inputFiles(flags));
  if (flags.accelerators !== undefined) await useAccelerators(flags.accelerators, '--accelerators');
  const classes = await readSloFile(flags.slo);
  const fleet = parseFleet(await readText('--fleet', flags.fleet), flags.fleet);
  const source = await openRequests(flags, classes);
  const requests = source.requests(flags.seed);
  const hasPrefixes = requests.some((request) => request.prefixBlocks !== undefined);
  const { replicas, notes: placementNotes } = placeReplicas(fleet, {
    model: flags.model,
    engine: { ...flags, prefixBlockTokens: hasPrefixes && flags.prefixCaching ? TRACE_PREFIX_BLOCK_TOKENS : null },
    typicalTokens: typicalTokens(requests),
    file: flags.fleet,
  });
  const specs = replicas.map(({ spec }) => spec);
  const progress = createSimulationProgress(terminal, countRuns(flags));
  const results = runAll({ flags, source, classes, replicas: specs }, progress);
  const notes = [
    ...source.notes,
    ...fleet.notes,
    ...placementNotes,
    ...fitNotes(requests, replicas),
    ...prefixNotes(hasPrefixes, flags),
    ...results.notes,
  ];
  const runs = results.runs.map(({ run }) => run);
  const result = {
    runs,
    unreachable: results.unreachable,
    notes,
    rejectedRows: source.rejectedRows,
    replicas: replicas.map(({ spec: _spec, ...replica }) => replica),
  };
  let reportFailure: UellmError | null = null;
  // Before anything is printed: whoever reads may hang up (`| head`), which ends the process.
  if (flags.report !== undefined) {
    const { unreachable, visited } = results;
    const header = reportHeader({
      flags,
      source,
      classes,
      replicas,
      notes: [...unreachable.map(unreachableText), ...notes],
      generatedAt: new Date(),
    });
    await writeFile(flags.report, renderReport(header, results.runs, visited)).catch((error) => {
      // What took hours is told all the same.
      reportFailure = unusable('--report', flags.report!, 'a file that can be written', error);
    });
  }
  print(terminal, { output }, result, () => runTables(runs, results.unreachable, { columns: terminal.columns(), colour: terminal.colour }));
  for (const note of notes) terminal.err(`note: ${note}\n`);
  if (reportFailure) throw reportFailure;
  if (flags.report !== undefined) terminal.err(`report: ${flags.report}\n`);
}

const inputFiles = ({ trace, fleet, slo, accelerators }: SimulateFlags) =>
  Object.entries({ '--trace': trace, '--fleet': fleet, '--slo': slo, '--accelerators': accelerators });

/** All but the longest hundredth of the requests need at most so many tokens of KV cache. */
function typicalTokens(requests: readonly TraceRequest[]): number {
  const lengths = Float64Array.from(requests, needOf).sort();
  return lengths[Math.ceil(lengths.length * 0.99) - 1]!;
}

const needOf = ({ inputTokens, outputTokens }: TraceRequest) => inputTokens + outputTokens;

/** Requests that engines refuse are not found out by how they fare. */
function fitNotes(requests: readonly TraceRequest[], replicas: readonly PlacedReplica[]): string[] {
  // The last token is returned and never fed back: it needs no room in the cache.
  const limits = replicas.map(({ kvCacheTokens, spec }) => Math.min(spec.maxContextTokens, kvCacheTokens + 1));
  const [least, most] = [Math.min(...limits), Math.max(...limits)];
  const nowhere = requests.filter((request) => needOf(request) > most).length;
  const somewhere = requests.filter((request) => needOf(request) > least).length - nowhere;
  return [
    ...(nowhere > 0 ? [`${counted(nowhere, 'request')} longer than any replica takes (${most} tokens, input and output): rejected`] : []),
    ...(somewhere > 0 ? [`${counted(somewhere, 'request')} longer than some replicas take (${least} tokens)`] : []),
  ];
}

function prefixNotes(hasPrefixes: boolean, { prefixCaching }: { prefixCaching: boolean }): string[] {
  if (!hasPrefixes) return [];
  return [
    prefixCaching
      ? `engines cache prefixes, in blocks of ${TRACE_PREFIX_BLOCK_TOKENS} tokens as the trace has them`
      : 'prefixes that prompts share are not cached',
  ];
}
