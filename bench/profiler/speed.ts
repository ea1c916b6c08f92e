/** How long a prediction takes: of a prompt of 1,000 tokens with its features, and by lengths alone. */
import { quantile } from '../../core/domain/statistics.ts';
import { asPrompt } from '../../core/profiler/evaluate.ts';
import { predictOutput } from '../../core/profiler/predict.ts';
import type { ProfilerSnapshot } from '../../core/profiler/snapshot.ts';
import { createSketcher } from '../../core/profiler/text/sketch.ts';
import { createRandom } from '../../core/simulator/random.ts';

export interface PredictionTimes {
  what: string;
  /** Microseconds. */
  p50: number;
  p99: number;
}

const RUNS = 30_000;
const PROMPT_TOKENS = 1000;
const CHARACTERS_PER_TOKEN = 4.2;

export function predictionTimes(snapshot: ProfilerSnapshot): PredictionTimes[] {
  const prompts = Array.from({ length: 64 }, (_, i) => prose(PROMPT_TOKENS * CHARACTERS_PER_TOKEN, i));
  const sketcher = createSketcher({ id: 'speed', k0: 1, k1: 2 });
  const request = { model: 'm', class: 'standard', tenant: 'default', inputTokens: PROMPT_TOKENS, maxTokens: null, streamed: true };
  return [
    time('features and prediction, 1,000 tokens', (i) =>
      predictOutput(snapshot, { ...request, text: sketcher.sketch(asPrompt(prompts[i % prompts.length]!)) }),
    ),
    time('by lengths alone', (i) => predictOutput(snapshot, { ...request, inputTokens: 1 + (i % 4000) })),
  ];
}

function time(what: string, run: (i: number) => unknown): PredictionTimes {
  for (let i = 0; i < RUNS / 3; i++) run(i);
  const micros = new Float64Array(RUNS);
  for (let i = 0; i < RUNS; i++) {
    const from = process.hrtime.bigint();
    run(i);
    micros[i] = Number(process.hrtime.bigint() - from) / 1000;
  }
  return { what, p50: quantile([...micros], 0.5), p99: quantile([...micros], 0.99) };
}

/** Words of two to nine letters, one in ten followed by a comma or full stop. */
function prose(characters: number, seed: number): string {
  const random = createRandom(`prose ${seed}`);
  let text = '';
  while (text.length < characters) {
    const letters = 2 + Math.floor(random() * 8);
    for (let i = 0; i < letters; i++) text += String.fromCharCode(97 + Math.floor(random() * 26));
    text += random() < 0.1 ? (random() < 0.5 ? ', ' : '. ') : ' ';
  }
  return text;
}
