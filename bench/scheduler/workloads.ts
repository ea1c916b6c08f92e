/**
 * What is asked of the fleets: four kinds of traffic, from `../shared/data` where it is there and otherwise from published statistics
 * (`core/simulator/workloads/synthetic.ts`). Seeds change what a source leaves open: arrivals of a file without times, instants within a
 * coarse clock's step, who belongs to which class.
 */
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { createRandom } from '../../core/simulator/random.ts';
import { type TraceFormat, type TraceRequest, traceParser } from '../../core/simulator/traces/trace.ts';
import { lengthsWorkload, parseLengths } from '../../core/simulator/workloads/lengths.ts';
import { servegenWorkload } from '../../core/simulator/workloads/servegen.ts';
import { syntheticWorkload } from '../../core/simulator/workloads/synthetic.ts';

export const WORKLOADS = ['chat', 'mooncake', 'reasoning', 'summarise'] as const;
export type WorkloadName = (typeof WORKLOADS)[number];

interface Source {
  /** Under `../shared/data/traces`. */
  path: string;
  /** One line, with what was done to it. */
  told: string;
  /** @param path of the file or folder; takes at least `requests`, where the source has so many */
  read(path: string, seed: number, requests: number): TraceRequest[];
  /** What stands in for it. */
  synthetic: string;
}

/** Timestamps of Mooncake's traces come in steps of so many ms, with about ten requests at each of them. */
const MOONCAKE_STEP_MS = 3000;
/** From 10:00 of ServeGen's day on, an hour; its service is larger than these fleets. */
const REASONING = { startSeconds: 36_000, durationSeconds: 3600, everyNth: 4 };
/** The file has no times: a rate scale of 1 is as good as another. */
const SUMMARIES_PER_SECOND = 2;

const SOURCES: Record<WorkloadName, Source> = {
  chat: {
    path: 'azure2023_conv.csv',
    told: 'Azure 2023, conversations',
    read: (path) => readTrace('azure', path),
    synthetic: 'chat',
  },
  mooncake: {
    path: 'mooncake_conversation.jsonl',
    told: 'Mooncake, conversations with their shared prefixes; each request moved by up to 3 s, uniformly by seed, since the clock has steps of 3 s',
    read: (path, seed) => spreadOverStep(readTrace('mooncake', path), seed),
    synthetic: 'mooncake-chat',
  },
  reasoning: {
    path: 'servegen_deepseek-r1',
    told: 'DeepSeek-R1 by ServeGen, the hour from 10:00, every 4th request',
    read: readReasoning,
    synthetic: 'reasoning',
  },
  summarise: {
    path: 'arxiv_lengths.csv',
    told: 'lengths of arXiv summaries in random order, Poisson arrivals at 2 a second',
    read: (path, seed, requests) =>
      lengthsWorkload(parseLengths(readFileSync(path, 'utf8'), path).lengths, {
        seed,
        requests,
        requestsPerSecond: SUMMARIES_PER_SECOND,
        order: 'sampled',
      }),
    synthetic: 'summarise',
  },
};

export interface WorkloadSource {
  kind: 'trace' | 'synthetic';
  told: string;
}

/** @param data `../shared/data` */
export function workloadSource(name: WorkloadName, data: string): WorkloadSource {
  const source = SOURCES[name];
  if (existsSync(join(data, 'traces', source.path))) return { kind: 'trace', told: source.told };
  return { kind: 'synthetic', told: `SYNTHETIC (${source.synthetic}), from published statistics: ${source.path} is not there` };
}

/** The first `requests` of it, by arrival; the same seed gives the same ones. */
export function loadWorkload(
  name: WorkloadName,
  { data, seed, requests }: { data: string; seed: number; requests: number },
): TraceRequest[] {
  const source = SOURCES[name];
  if (workloadSource(name, data).kind === 'synthetic') return syntheticWorkload(source.synthetic, { seed, requests });
  return source.read(join(data, 'traces', source.path), seed, requests).slice(0, requests);
}

function readTrace(format: TraceFormat, path: string): TraceRequest[] {
  const parser = traceParser(format, path);
  for (const line of readFileSync(path, 'utf8').split('\n')) parser.line(line);
  return parser.end().requests;
}

function spreadOverStep(requests: readonly TraceRequest[], seed: number): TraceRequest[] {
  const random = createRandom(`${seed}:instants`);
  return requests
    .map((request) => ({ ...request, arrivalMs: request.arrivalMs + random() * MOONCAKE_STEP_MS }))
    .sort((a, b) => a.arrivalMs - b.arrivalMs);
}

function readReasoning(folder: string, seed: number): TraceRequest[] {
  const names = readdirSync(folder).flatMap((file) => /^(.+)-trace\.csv$/.exec(file)?.[1] ?? []);
  const clients = names.sort().map((name) => ({
    name,
    trace: readFileSync(join(folder, `${name}-trace.csv`), 'utf8'),
    dataset: readFileSync(join(folder, `${name}-dataset.json`), 'utf8'),
  }));
  return servegenWorkload(clients, { seed, ...REASONING }).filter((_, i) => i % REASONING.everyNth === 0);
}
