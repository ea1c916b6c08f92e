/** The closed form against an exact event simulation of microbatches on stages, which knows nothing of it. */
import { describe, expect, it } from 'vitest';
import { acceleratorKind } from '../../domain/accelerators.ts';
import type { Link } from '../../domain/links.ts';
import { kvCacheTokens } from '../../domain/memory.ts';
import { KNOWN_CONFIGS, modelShape } from '../../domain/model-spec.ts';
import { mean, quantile } from '../../domain/statistics.ts';
import { decodeStepMs, prefillMs, type StepTimeCoefficients, stepTimeMs } from '../../domain/step-time.ts';
import { createEngine, hasWork, step, submit } from '../../simulator/engine.ts';
import { createRandom, lognormal } from '../../simulator/random.ts';
import { pipelineKvCacheTokens, pipelineStepTime, stageStepTime, transferMs } from './pipeline-step-time.ts';

const NVLINK: Link = { bandwidthBytesPerSecond: 300e9, latencySeconds: 10e-6 };
const PCIE: Link = { bandwidthBytesPerSecond: 18.6e9, latencySeconds: 12e-6 };
const ETHERNET: Link = { bandwidthBytesPerSecond: 8e9, latencySeconds: 29e-6 };

interface Pipeline {
  stages: StepTimeCoefficients[];
  links: Link[];
  bytesPerToken: number;
}

type Row = [d0: number, d1: number, d2: number, ra: number, rc: number, rb: number];

/** Whole models on one accelerator, about what they take there; those of A100 and B200 are measured. */
const WHOLE = {
  '70B on H100': [55, 0.05, 1.2e-4, 0.2, 0.06, 3e-6],
  '70B on L40S': [212, 0.1, 4.9e-4, 0.54, 0.16, 8e-6],
  '32B on A100': [43.58, 0.1101, 1.654e-4, 0.1489, 0.09256, 4.199e-6],
  '32B on B200': [12.49, 0.01392, 3.655e-5, 0.03403, 0.01138, 7.404e-7],
  '32B on T4': [264, 0.1, 1.06e-3, 1.4, 0.42, 2e-5],
} satisfies Record<string, Row>;

function pipelineOf(stages: [whole: keyof typeof WHOLE, share: number][], links: Link[]): Pipeline {
  return {
    stages: stages.map(([whole, share]) => {
      const [d0, d1, d2, ra, rc, rb]: Row = WHOLE[whole];
      return stageStepTime({ d0, d1, d2, ra, rc, rb, o: 1 }, share);
    }),
    links,
    bytesPerToken: 16_384,
  };
}

function alike(depth: number, whole: keyof typeof WHOLE, link: Link): Pipeline {
  return pipelineOf(Array(depth).fill([whole, 1 / depth]), Array(depth - 1).fill(link));
}

const EQUAL: [string, Pipeline][] = [
  ['70B on 2 H100', alike(2, '70B on H100', NVLINK)],
  ['32B on 2 A100', alike(2, '32B on A100', NVLINK)],
  ['70B on 4 L40S', alike(4, '70B on L40S', PCIE)],
];
const UNEQUAL: [string, Pipeline][] = [
  [
    '70B on H100 and 2 L40S',
    pipelineOf(
      [
        ['70B on H100', 1 / 2],
        ['70B on L40S', 1 / 4],
        ['70B on L40S', 1 / 4],
      ],
      [ETHERNET, PCIE],
    ),
  ],
  [
    '32B on B200 and 3 T4',
    pipelineOf(
      [
        ['32B on B200', 46 / 64],
        ['32B on T4', 6 / 64],
        ['32B on T4', 6 / 64],
        ['32B on T4', 6 / 64],
      ],
      [ETHERNET, PCIE, PCIE],
    ),
  ],
];

interface Request {
  arrivalMs: number;
  inputTokens: number;
  outputTokens: number;
}

interface Served {
  ttftMs: number;
  tpotMs: number;
}

/**
 * Microbatches on stages as vLLM runs them: as many in flight as there are stages at most; a new one takes every sequence that is in none,
 * first come, first served, prompts in chunks. Stages keep the order, so that all times of a microbatch are known when it is made.
 * @param prefilled whether sequences arrive with their prompt in the cache
 */
function simulate(
  { stages, links, bytesPerToken }: Pipeline,
  requests: readonly Request[],
  maxSequences = 256,
  prefilled = false,
): Served[] {
  interface Sequence extends Request {
    computed: number;
    generated: number;
    inFlight: number;
    firstMs: number;
  }
  const freeAtMs = stages.map(() => 0);
  const present: Sequence[] = [];
  const flying: { doneMs: number; members: Sequence[] }[] = [];
  const served: Served[] = [];
  let nowMs = 0;
  let arrived = 0;

  const makeMicrobatch = (): boolean => {
    const load = { prefillTokens: 0, prefillSquares: 0, decodeSequences: 0, decodeContextTokens: 0 };
    const members: Sequence[] = [];
    for (const s of present) {
      const left = 2048 - load.prefillTokens - load.decodeSequences;
      if (left === 0 || members.length === maxSequences) break;
      if (s.computed < s.inputTokens) {
        const chunk = Math.min(left, s.inputTokens - s.computed);
        load.prefillTokens += chunk;
        load.prefillSquares += (s.computed + chunk) ** 2 - s.computed ** 2;
        s.computed += chunk;
      } else if (s.inFlight === 0) {
        load.decodeSequences++;
        load.decodeContextTokens += s.inputTokens + s.generated;
      } else continue;
      s.inFlight++;
      members.push(s);
    }
    let atMs = nowMs;
    stages.forEach((stage, i) => {
      atMs = Math.max(atMs, freeAtMs[i]!) + stepTimeMs(stage, load);
      if (members.length > 0) freeAtMs[i] = atMs;
      if (i < links.length) atMs += transferMs(links[i]!, bytesPerToken * (load.prefillTokens + load.decodeSequences));
    });
    if (members.length > 0) flying.push({ doneMs: atMs, members });
    return members.length > 0;
  };

  for (;;) {
    for (; arrived < requests.length && requests[arrived]!.arrivalMs <= nowMs; arrived++) {
      const request = requests[arrived]!;
      present.push({ ...request, computed: prefilled ? request.inputTokens : 0, generated: 0, inFlight: 0, firstMs: 0 });
    }
    if (flying.length < stages.length && makeMicrobatch()) continue;
    const nextMs = flying.length < stages.length ? requests[arrived]?.arrivalMs : undefined;
    nowMs = Math.min(nextMs ?? Number.POSITIVE_INFINITY, flying[0]?.doneMs ?? Number.POSITIVE_INFINITY);
    if (nowMs === Number.POSITIVE_INFINITY) return served;
    if (flying[0]?.doneMs !== nowMs) continue;
    for (const s of flying.shift()!.members) {
      s.inFlight--;
      if (s.computed < s.inputTokens || s.inFlight > 0) continue;
      s.generated++;
      if (s.generated === 1) s.firstMs = nowMs;
      if (s.generated < s.outputTokens) continue;
      present.splice(present.indexOf(s), 1);
      served.push({ ttftMs: s.firstMs - s.arrivalMs, tpotMs: (nowMs - s.firstMs) / Math.max(1, s.outputTokens - 1) });
    }
  }
}

/** The same requests on the simulator's engine, which takes a pipeline for one machine. */
function simulateAsOne({ stages, links, bytesPerToken }: Pipeline, requests: readonly Request[]): Served[] {
  const engine = createEngine<Request & { firstMs: number }>({
    stepTime: pipelineStepTime(stages, links, bytesPerToken),
    ...{ kvCacheTokens: 1e7, maxContextTokens: 131_072, maxSequences: 256, maxBatchedTokens: 2048, scheduling: 'fcfs' },
  });
  const served: Served[] = [];
  let nowMs = 0;
  let arrived = 0;
  while (arrived < requests.length || hasWork(engine)) {
    if (!hasWork(engine)) nowMs = Math.max(nowMs, requests[arrived]!.arrivalMs);
    for (; arrived < requests.length && requests[arrived]!.arrivalMs <= nowMs; arrived++) {
      submit(engine, { ...requests[arrived]!, firstMs: 0 });
    }
    const { durationMs, firsts, finished } = step(engine);
    nowMs += durationMs;
    for (const { request } of firsts) request.firstMs = nowMs;
    for (const { request } of finished) {
      const { firstMs, arrivalMs, outputTokens } = request;
      served.push({ ttftMs: firstMs - arrivalMs, tpotMs: (nowMs - firstMs) / Math.max(1, outputTokens - 1) });
    }
  }
  return served;
}

/** Poisson arrivals of requests with the lengths of the Azure 2023 conversation trace (CC-BY-4.0): their means and variations. */
function requestsAt(requestsPerSecond: number): Request[] {
  const random = createRandom('pipeline');
  const length = (tokens: number, variation: number) => {
    const spread = Math.log(1 + variation ** 2);
    return Math.max(1, Math.round(lognormal(random, tokens * Math.exp(-spread / 2), Math.sqrt(spread))));
  };
  let arrivalMs = 0;
  return Array.from({ length: 600 }, () => {
    arrivalMs -= (Math.log(1 - random()) / requestsPerSecond) * 1000;
    return { arrivalMs, inputTokens: length(1155, 0.96), outputTokens: length(211, 0.77) };
  });
}

/** A prompt of the mean length alone, as the engine has it. */
function promptMs({ stages, links, bytesPerToken }: Pipeline): number {
  return prefillMs(pipelineStepTime(stages, links, bytesPerToken), 1155);
}

/** Closed form over simulation, where so many sequences decode and share out evenly. */
function decodeRatio({ stages, links, bytesPerToken }: Pipeline, sequences: number): number {
  const requests = Array.from({ length: sequences }, () => ({ arrivalMs: 0, inputTokens: 1000, outputTokens: 41 }));
  const perMicrobatch = Math.ceil(sequences / stages.length);
  const tokenMs = mean(simulate({ stages, links, bytesPerToken }, requests, perMicrobatch, true).map((s) => s.tpotMs));
  return decodeStepMs(pipelineStepTime(stages, links, bytesPerToken), sequences, sequences * 1020) / tokenMs;
}

describe('a decode step', () => {
  it.each(EQUAL)('is the round of a pipeline: %s', (_, pipeline) => {
    for (const perStage of [1, 4, 16, 32]) expect(decodeRatio(pipeline, perStage * pipeline.stages.length)).toBeCloseTo(1, 2);
    expect(decodeRatio(pipeline, 1)).toBeGreaterThan(0.995);
  });
  it.each(UNEQUAL)('is never less than that, and little more: %s', (_, pipeline) => {
    for (const perStage of [1, 4, 16, 32]) {
      const ratio = decodeRatio(pipeline, perStage * pipeline.stages.length);
      expect(ratio).toBeGreaterThan(0.999);
      expect(ratio).toBeLessThan(1.05);
    }
    // With fewer sequences than stages the slowest one no longer sets the pace.
    expect(decodeRatio(pipeline, 1)).toBeGreaterThan(1);
    expect(decodeRatio(pipeline, 1)).toBeLessThan(1.2);
  });
});

describe('requests', () => {
  const meanTpot = (served: readonly Served[]) => mean(served.map((s) => s.tpotMs));
  const p90 = (served: readonly Served[], what: keyof Served) =>
    quantile(
      served.map((s) => s[what]),
      0.9,
    );

  it.each([...EQUAL, ...UNEQUAL])('fare as the engine says or better: %s', (_, pipeline) => {
    for (const [load, slack] of [
      [0.15, 1.07],
      [0.35, 1.25],
    ] as const) {
      const requests = requestsAt((load * 1000) / promptMs(pipeline));
      const [real, one] = [simulate(pipeline, requests), simulateAsOne(pipeline, requests)];
      expect(real).toHaveLength(requests.length);
      expect(meanTpot(one)).toBeGreaterThan(meanTpot(real));
      expect(meanTpot(one)).toBeLessThan(slack * meanTpot(real));
      expect(p90(one, 'tpotMs')).toBeGreaterThan(p90(real, 'tpotMs'));
      expect(p90(one, 'ttftMs')).toBeGreaterThan(p90(real, 'ttftMs'));
    }
  });

  it.each([...EQUAL, ...UNEQUAL])('are served at any rate that the engine takes, and not at three times as much: %s', (_, pipeline) => {
    const unloadedMs = decodeStepMs(pipelineStepTime(pipeline.stages, pipeline.links, pipeline.bytesPerToken), 1, 1000);
    const targets = { ttftMs: 5 * promptMs(pipeline), tpotMs: 2 * unloadedMs };
    const attained = (served: readonly Served[]) =>
      served.filter((s) => s.ttftMs <= targets.ttftMs && s.tpotMs <= targets.tpotMs).length / served.length;
    let taken = 0;
    for (let step = 0.5; step > 0.03; step /= 2) {
      if (attained(simulateAsOne(pipeline, requestsAt(((taken + step) * 1000) / promptMs(pipeline)))) >= 0.9) taken += step;
    }
    expect(taken).toBeGreaterThan(0.2);
    expect(attained(simulate(pipeline, requestsAt((taken * 1000) / promptMs(pipeline))))).toBeGreaterThanOrEqual(0.9);
    expect(attained(simulate(pipeline, requestsAt((3 * taken * 1000) / promptMs(pipeline))))).toBeLessThan(0.9);
  });
});

it('is that of the model itself where there is one stage', () => {
  const whole = { d0: 6.374, d1: 0.01139, d2: 4.138e-5, ra: 0.01482, rc: 0.005991, rb: 3.913e-7, o: 1 };
  expect(pipelineStepTime([stageStepTime(whole, 1)], [], 8192)).toEqual(whole);
});

it('counts every hand-over: its latency a step, its bytes a token', () => {
  const stage = { d0: 1, d1: 1, d2: 1, ra: 1, rc: 1, rb: 1, o: 1 };
  const slow: Link = { bandwidthBytesPerSecond: 1e6, latencySeconds: 0.003 };
  // 2,000 bytes take 2 ms.
  expect(pipelineStepTime([stage, stage, stage], [slow, slow], 2000)).toEqual({ d0: 3, d1: 1 + 4 / 3, d2: 1, ra: 3, rc: 7, rb: 3, o: 9 });
});

describe('the KV cache of a pipeline', () => {
  const model = modelShape('llama-3.1-70b', KNOWN_CONFIGS['llama-3.1-70b']!, 'bf16');
  const l40s = { accelerator: acceleratorKind('L40S'), tensorParallel: 1 };
  it('is that of its fullest stage', () => {
    const even = pipelineKvCacheTokens(
      model,
      Array.from({ length: 8 }, () => ({ ...l40s, layers: 10 })),
    );
    const uneven = pipelineKvCacheTokens(model, [{ ...l40s, layers: 16 }, ...Array.from({ length: 8 }, () => ({ ...l40s, layers: 8 }))]);
    // 45 GiB, of which 0.9 less 2 GiB are usable, beside a tenth-and-a-bit of 141 GB; 4,096 bytes a token and layer.
    const free = 45 * 1024 ** 3 * 0.9 - 2 * 1024 ** 3;
    expect(even).toBe(Math.floor((free - model.weightsBytes / 8) / 40_960 / 16) * 16);
    expect(uneven).toBe(Math.floor((free - model.weightsBytes / 5) / 65_536 / 16) * 16);
  });
  it('is 0 where the weights of a stage do not fit', () => {
    expect(
      pipelineKvCacheTokens(model, [
        { ...l40s, layers: 40 },
        { ...l40s, layers: 40 },
      ]),
    ).toBe(0);
  });
  it('of one stage is that of tensor parallelism', () => {
    const h100 = { accelerator: acceleratorKind('H100-SXM'), tensorParallel: 4 };
    expect(pipelineKvCacheTokens(model, [{ ...h100, layers: 80 }])).toBe(kvCacheTokens(model, h100.accelerator, 4));
  });
});
