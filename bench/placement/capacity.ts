/**
 * The capacity of one replica in closed form against simulation: every accelerator kind and width that holds a model, requests of six kinds,
 * six sets of targets. The closed form's three constants were chosen on one part of the shapes, but not without a look at those that judge it.
 */
import { acceleratorKinds } from '../../core/domain/accelerators.ts';
import { kvCacheTokens } from '../../core/domain/memory.ts';
import { KNOWN_CONFIGS, modelShape } from '../../core/domain/model-spec.ts';
import type { SloTargets } from '../../core/domain/slo-policy.ts';
import { quantile } from '../../core/domain/statistics.ts';
import { priorStepTime, type StepTimeSource } from '../../core/domain/step-time.ts';
import { INPUT_VARIATION, type Lengths, type ReplicaSpeed, replicaCapacity } from '../../core/placement/capacity/capacity.ts';
import { logNormalQuantile } from '../../core/placement/distributions.ts';
import { TENSOR_PARALLEL_WIDTHS } from '../../core/placement/shapes.ts';
import { hash32 } from '../../core/simulator/random.ts';
import { simulatedCapacity } from '../../core/simulator/simulated-capacity.ts';

/** Dense ones of three sizes, and a mixture of experts. */
const MODELS = ['llama-3.1-8b', 'llama-3.1-70b', 'qwen3-32b', 'qwen3-30b-a3b'];

const MIXES: Readonly<Record<string, Lengths>> = {
  chat: { inputTokens: 1155, outputTokens: 211 },
  code: { inputTokens: 2048, outputTokens: 28 },
  reasoning: { inputTokens: 600, outputTokens: 1500 },
  summarising: { inputTokens: 8000, outputTokens: 250 },
  long: { inputTokens: 12_000, outputTokens: 340 },
  short: { inputTokens: 128, outputTokens: 128 },
};

const TARGETS: readonly SloTargets[] = [
  { ttftMs: 500, tpotMs: 50, attainment: 0.9 },
  { ttftMs: 2000, tpotMs: 100, attainment: 0.9 },
  { ttftMs: 300, tpotMs: 30, attainment: 0.9 },
  { e2eMs: 60_000, attainment: 0.9 },
  { ttftMs: 1000, tpotMs: 40, attainment: 0.95 },
  { ttftMs: 1000, tpotMs: 40, attainment: 0.99 },
];

const TOLERANCE = 0.15;
/** Where targets can barely be met at all, a thousandth of the attainment is a tenth of the capacity. */
const JUDGED_REQUESTS = 30_000;

export interface CapacityRow {
  model: string;
  kind: string;
  tensorParallel: number;
  source: StepTimeSource;
  mix: string;
  targets: SloTargets;
  /** Requests a second; the closed form's is 0 where it says that the targets cannot be met. */
  closedForm: number;
  simulated: number;
  ratio: number;
}

export interface CapacityGroup {
  name: string;
  rows: number;
  /** Share of the rows whose ratio is within 15 %. */
  within: number;
  /** Of the ratio. */
  p01: number;
  p05: number;
  p50: number;
  p95: number;
  p99: number;
}

export interface CapacityBench {
  rows: CapacityRow[];
  /** All rows, and by mix, model, targets and source. */
  groups: CapacityGroup[];
  /** The furthest from 1, furthest first. */
  worst: CapacityRow[];
  /** Shapes that not even an idle replica serves within the targets, as both say, and as the closed form alone denies. */
  unattainable: { agreed: number; closedFormHopeful: number };
  /** Time of one call of the closed form, ms. */
  closedFormMs: { p50: number; p90: number };
}

export interface CapacityBenchOptions {
  /** Of the shapes of the half that judges, the share to look at: all of them take about half an hour. */
  share?: number;
  /** The other half, which constants were fitted on. */
  fitted?: boolean;
  seed?: number;
  /** Monotonic time, ms. */
  now: () => number;
  onProgress?: (done: number, of: number) => void;
}

export function benchCapacity({ share = 1, fitted = false, seed = 1, now, onProgress }: CapacityBenchOptions): CapacityBench {
  const cases = capacityCases().filter(({ model, kind, tensorParallel, mix }) => {
    const half = hash32(`${model}/${kind}/${tensorParallel}`) % 2;
    return half === (fitted ? 0 : 1) && hash32(`${model}/${kind}/${tensorParallel}/${mix}`) / 2 ** 32 < share;
  });
  const rows: CapacityRow[] = [];
  const times: number[] = [];
  const unattainable = { agreed: 0, closedFormHopeful: 0 };
  cases.forEach(({ speed, lengths, ...about }, i) => {
    for (const targets of TARGETS) {
      const startMs = now();
      const { meetsSlo, requestsPerSecond } = replicaCapacity(speed, lengths, targets);
      times.push(now() - startMs);
      const closedForm = meetsSlo ? requestsPerSecond : 0;
      const simulated = simulatedCapacity(speed, lengths, targets, { seed, requests: JUDGED_REQUESTS });
      if (simulated > 0) rows.push({ ...about, targets, closedForm, simulated, ratio: closedForm / simulated });
      else unattainable[meetsSlo ? 'closedFormHopeful' : 'agreed']++;
    }
    onProgress?.(i + 1, cases.length);
  });
  const furthest = ({ ratio }: CapacityRow) => -Math.abs(Math.log(Math.max(ratio, 1e-6)));
  return {
    rows,
    groups: groupsOf(rows),
    worst: [...rows].sort((a, b) => furthest(a) - furthest(b)).slice(0, 5),
    unattainable,
    closedFormMs: { p50: quantile(times, 0.5), p90: quantile(times, 0.9) },
  };
}

interface CapacityCase extends Pick<CapacityRow, 'model' | 'kind' | 'tensorParallel' | 'source' | 'mix'> {
  speed: ReplicaSpeed;
  lengths: Lengths;
}

/** Every model on every kind and width whose KV cache holds nine tenths of the requests. */
function capacityCases(): CapacityCase[] {
  return MODELS.flatMap((model) =>
    acceleratorKinds().flatMap((accelerator) =>
      TENSOR_PARALLEL_WIDTHS.flatMap((tensorParallel) => {
        const shape = modelShape(model, KNOWN_CONFIGS[model]!, 'bf16');
        const { source, coefficients } = priorStepTime(shape, accelerator, tensorParallel);
        const speed = { stepTime: coefficients, kvCacheTokens: kvCacheTokens(shape, accelerator, tensorParallel) };
        return Object.entries(MIXES).flatMap(([mix, lengths]) => {
          const mean = lengths.inputTokens + lengths.outputTokens;
          if (speed.kvCacheTokens < logNormalQuantile(0.9, mean, (mean * INPUT_VARIATION) ** 2)) return [];
          return [{ model, kind: accelerator.id, tensorParallel, source, mix, speed, lengths }];
        });
      }),
    ),
  );
}

function groupsOf(rows: readonly CapacityRow[]): CapacityGroup[] {
  const by = (of: (row: CapacityRow) => string) =>
    [...new Set(rows.map(of))].map((name) =>
      groupOf(
        name,
        rows.filter((row) => of(row) === name),
      ),
    );
  return [
    groupOf('all', rows),
    ...by(({ mix }) => mix),
    ...by(({ model }) => model),
    ...by(({ targets }) => nameOf(targets)),
    ...by(({ source }) => source),
  ];
}

function groupOf(name: string, rows: readonly CapacityRow[]): CapacityGroup {
  const ratios = rows.map(({ ratio }) => ratio);
  const at = (share: number) => quantile(ratios, share);
  return {
    name,
    rows: rows.length,
    within: ratios.filter((ratio) => ratio >= 1 / (1 + TOLERANCE) && ratio <= 1 + TOLERANCE).length / Math.max(1, rows.length),
    ...{ p01: at(0.01), p05: at(0.05), p50: at(0.5), p95: at(0.95), p99: at(0.99) },
  };
}

/** Such as `TTFT 500 ms, TPOT 50 ms, 90 %`. */
function nameOf({ ttftMs, tpotMs, e2eMs, attainment }: SloTargets): string {
  const named = [ttftMs && `TTFT ${ttftMs} ms`, tpotMs && `TPOT ${tpotMs} ms`, e2eMs && `end to end ${e2eMs / 1000} s`].filter(Boolean);
  return `${named.join(', ')}, ${attainment * 100} %`;
}
