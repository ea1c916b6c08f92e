/** The calibration run on a fresh replica: a few prompts and batches are timed, and the step-time model is fitted to them. */
import { Context } from '@temporalio/activity';
import { UellmError } from '../../core/domain/errors.ts';
import type { ChatTemplate } from '../../core/domain/routing.ts';
import { type CalibrationSample, fitStepTime, isSound } from '../../core/profiler/calibrate.ts';
import type { EngineDriver, EngineSpec } from '../../engines/driver.ts';
import type { EmbeddingClient } from '../../engines/embeddings.ts';
import type { StreamedCompletion } from '../../engines/openai.ts';
import { readChatTemplate } from '../../engines/triton/chat-template.ts';
import { localModelPath } from '../../engines/weights/source.ts';
import type { CalibrationResult } from '../replicas.ts';
import type { HostDeps } from './deps.ts';

/** Prompt lengths to time alone, and batches to time decoding with. */
const PROMPT_WORDS = [50, 200, 800];
const BATCHES = [
  { sequences: 1, words: 8 },
  { sequences: 16, words: 40 },
];
const DECODE_TOKENS = 12;

export function createCalibrationActivities({ drivers, weights }: Pick<HostDeps, 'drivers' | 'weights'>) {
  return {
    /** Warms a ready engine up, times it, and fits. The replica must not be routed yet: other requests would be timed with it. */
    async calibrateEngine(spec: EngineSpec, endpoint: string): Promise<CalibrationResult> {
      const driver = drivers.find((d) => d.kind === spec.engine);
      if (!driver)
        throw new UellmError({ kind: 'engine-failed', replicaId: spec.replicaId, reason: `this host has no driver for ${spec.engine}` });
      const samples = await takeSamples(driver, spec, endpoint);
      const fit = fitStepTime(spec.stepTime, samples);
      const sound = isSound(fit);
      const kvCacheTokens = await reportedKvCacheTokens(driver, endpoint);
      const chat = await chatTemplate(spec, await weights?.pathOf(spec));
      return { stepTime: sound ? fit.coefficients : spec.stepTime, sound, errorPercent: fit.errorPercent, kvCacheTokens, chat };
    },
  };
}

async function takeSamples(driver: EngineDriver, spec: EngineSpec, endpoint: string): Promise<CalibrationSample[]> {
  const { embeddings } = driver;
  const signal = Context.current().cancellationSignal;
  const embedsOnly = await embeddings?.embedsOnly(endpoint, spec.deployment, signal);
  return embeddings && embedsOnly ? embed(embeddings, spec, endpoint, signal) : generate(driver, spec, endpoint, signal);
}

/** Nothing is decoded: what that would take stays as it is expected. */
async function embed(client: EmbeddingClient, spec: EngineSpec, endpoint: string, signal: AbortSignal): Promise<CalibrationSample[]> {
  const once = (words: number) => client.embed(endpoint, { model: spec.deployment, input: randomWords(words), signal });
  await once(8);
  const samples: CalibrationSample[] = [];
  for (const words of wordsWithin(contextLimit(spec))) {
    const { inputTokens, ms } = await once(words);
    samples.push({ kind: 'prefill', inputTokens, ms });
    Context.current().heartbeat(`embedding of ${inputTokens} tokens: ${ms.toFixed(0)} ms`);
  }
  return samples;
}

async function generate(driver: EngineDriver, spec: EngineSpec, endpoint: string, signal: AbortSignal): Promise<CalibrationSample[]> {
  const context = Context.current();
  const stream = (words: number, maxTokens: number) =>
    driver.stream(endpoint, { model: spec.deployment, prompt: randomWords(words), maxTokens, ignoreEos: true, signal });

  await stream(8, 4);
  const samples: CalibrationSample[] = [];
  for (const words of wordsWithin(contextLimit(spec) - 2 * DECODE_TOKENS)) {
    const { inputTokens, ttftMs } = await stream(words, 1);
    samples.push({ kind: 'prefill', inputTokens, ms: ttftMs });
    context.heartbeat(`prefill of ${inputTokens} tokens: ${ttftMs.toFixed(0)} ms`);
  }
  for (const { sequences, words } of BATCHES.filter((b) => b.sequences <= spec.maxSequences)) {
    const streams = await Promise.all(Array.from({ length: sequences }, () => stream(words, DECODE_TOKENS)));
    const msPerStep = decodeStepOf(streams);
    // A step shorter than its own overhead is our lateness: several tokens were waiting to be read.
    if (msPerStep <= spec.stepTime.o) continue;
    const contextTokens = streams.reduce((sum, s) => sum + s.inputTokens + DECODE_TOKENS / 2, 0);
    samples.push({ kind: 'decode', sequences, contextTokens, msPerStep });
    context.heartbeat(`decoding ${sequences} sequences`);
  }
  return samples;
}

/** A word is at most a few tokens: a tokenizer that knows none of them still stays within the limit. */
function wordsWithin(limitTokens: number): number[] {
  return PROMPT_WORDS.filter((words) => words * 8 <= limitTokens);
}

/** From the moment when the last of the batch has its first token, all of them decode. */
function decodeStepOf(streams: readonly StreamedCompletion[]): number {
  const began = Math.max(...streams.map((s) => s.ttftMs));
  const ended = Math.max(...streams.map((s) => s.tokenTimesMs.at(-1) ?? 0));
  return (ended - began) / (DECODE_TOKENS - 1);
}

/** Tokens that a request may hold: the deployment's own limit, else the model's. */
function contextLimit({ args, shape }: EngineSpec): number {
  const own = Number(args['max-model-len']);
  return Number.isFinite(own) && own > 0 ? own : shape.maxContextTokens;
}

/** Different each time, so that no prefix cache answers for the engine. */
function randomWords(count: number): string {
  return Array.from({ length: count }, () => Math.floor(Math.random() * 36 ** 4).toString(36)).join(' ');
}

async function reportedKvCacheTokens(driver: EngineDriver, endpoint: string): Promise<number | null> {
  const metrics = await driver.metrics(endpoint).catch(() => null);
  return metrics?.kvCacheTokens ?? null;
}

/** null where the engine needs none, the weights are not on this host, or have no template. */
export async function chatTemplate(spec: EngineSpec, weightsPath: string | undefined): Promise<ChatTemplate | null> {
  if (spec.engine !== 'triton') return null;
  const folder = weightsPath ?? localModelPath(spec);
  return folder === null ? null : readChatTemplate(folder);
}
