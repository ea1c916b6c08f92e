/** What the HTML report says of its runs besides the runs. */

import { counted } from '../../core/domain/counted.ts';
import type { SloClass } from '../../core/simulator/slo-classes.ts';
import { ms } from '../output/figures.ts';
import type { ReportHeader, Targets } from '../report/header.ts';
import type { SimulateFlags } from './flags.ts';
import type { PlacedReplica } from './replicas.ts';
import type { RequestSource } from './requests.ts';

export interface PageInputs {
  flags: SimulateFlags;
  source: RequestSource;
  classes: readonly SloClass[];
  replicas: readonly PlacedReplica[];
  notes: readonly string[];
  generatedAt: Date;
}

export function reportHeader({ flags, source, classes, replicas, notes, generatedAt }: PageInputs): ReportHeader {
  const requests = source.requests(flags.seed).length;
  return {
    title: `${source.name} on ${counted(replicas.length, 'replica')} of ${replicas[0]!.model}`,
    generatedAt: `${generatedAt.toISOString().slice(0, 16).replace('T', ' ')} UTC`,
    trace: `${source.name}, ${counted(requests, 'request')}`,
    format: source.format,
    fleet: fleetLines(replicas),
    slo: classes.map(classLine),
    seed: flags.seeds > 1 ? `${flags.seed} to ${flags.seed + flags.seeds - 1}` : flags.seed,
    notes: [engineLine(flags), ...notes],
    targets: targetsOf(classes),
  };
}

/** Equal replicas of a host on one line. */
function fleetLines(replicas: readonly PlacedReplica[]): string[] {
  const lines = replicas.map(
    ({ host, model, tensorParallel, acceleratorKind, kvCacheTokens }) =>
      `${host}: ${model} on ${tensorParallel} × ${acceleratorKind}, KV cache of ${kvCacheTokens.toLocaleString('en-US')} tokens`,
  );
  return [...new Set(lines)].map((line) => `${lines.filter((other) => other === line).length} × ${line}`);
}

function classLine({ name, share, priority, queue, ...targets }: SloClass): string {
  const { ttftMs, ttftPerInputTokenMs, tpotMs, e2eMs } = targets;
  const told = [
    ...(ttftMs === undefined ? [] : [`TTFT ${ms(ttftMs)}${ttftPerInputTokenMs ? ` + ${ttftPerInputTokenMs} ms per input token` : ''}`]),
    ...(tpotMs === undefined ? [] : [`TPOT ${ms(tpotMs)}`]),
    ...(e2eMs === undefined ? [] : [`end to end ${ms(e2eMs)}`]),
    `priority ${priority}`,
    `share ${share}`,
    ...(queue.onHopeless === 'shed' || priority < 0 ? [`shed after ${ms(queue.maxWaitMs)}`] : []),
  ];
  return `${name}: ${told.join(', ')}`;
}

function engineLine(flags: SimulateFlags): string {
  const { chunkTokens, maxSequences, memory, stepOverheadMs, stepNoise, engineStateAgeMs, streamDelayMs, modelFactor, scheduling } = flags;
  return [
    `engines: ${chunkTokens} tokens a step, ${maxSequences} sequences, ${memory} of memory, ${scheduling}, ${stepOverheadMs} ms overhead and ${stepNoise * 100} % noise a step`,
    `gateway: engine state ${engineStateAgeMs} ms old, streams ${streamDelayMs} ms late, step-time model ${modelFactor} times the truth`,
  ].join('; ');
}

/** Those of every class, each once; TTFT targets that grow with the input are no vertical line. */
function targetsOf(classes: readonly SloClass[]): Targets {
  const of = (pick: (sloClass: SloClass) => number | undefined) => [...new Set(classes.flatMap((c) => pick(c) ?? []))];
  return {
    ttftMs: of(({ ttftMs, ttftPerInputTokenMs }) => (ttftPerInputTokenMs ? undefined : ttftMs)),
    tpotMs: of(({ tpotMs }) => tpotMs),
    e2eMs: of(({ e2eMs }) => e2eMs),
  };
}
