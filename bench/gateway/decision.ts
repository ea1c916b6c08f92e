/**
 * What a request's features, its prediction and the decision where it goes take together, in this process, by the functions that the gateway
 * calls: the sketch of the prompt's words, the ids of its prefix, the predicted length, its deadlines, admission's queue and the policy's
 * choice between replicas that are busy. Reading JSON is not in it.
 */
import { DEFAULT_TENANT, sloPolicySchema } from '../../core/domain/slo-policy.ts';
import { quantile } from '../../core/domain/statistics.ts';
import { measuredStepTime } from '../../core/domain/step-time.ts';
import { predictOutput } from '../../core/profiler/predict.ts';
import { COLD_START_SNAPSHOT } from '../../core/profiler/snapshot.ts';
import { createSketcher } from '../../core/profiler/text/sketch.ts';
import { deadlinesOf } from '../../core/scheduler/deadlines.ts';
import { ReplicaLoad } from '../../core/scheduler/load.ts';
import { DEFAULT_POLICY, schedulerPolicy } from '../../core/scheduler/registry.ts';
import { withRevisionShares } from '../../core/scheduler/revisions.ts';
import type { QueuedRequest, ReplicaView } from '../../core/scheduler/types.ts';
import { createRandom, lognormal } from '../../core/simulator/random.ts';
import { deriveKey } from '../../gateway/access/feature-key.ts';
import { PREFIX_BLOCK_BYTES, prefixBlocks } from '../../gateway/body/prefix.ts';
import { readRequest } from '../../gateway/body/request.ts';
import { TokenEstimate } from '../../gateway/body/token-estimate.ts';
import { Queued } from '../../gateway/queued.ts';
import type { Measured } from './measure.ts';

/** Characters of a user's message: lognormal, half of them shorter than this. Source: LMSYS-Chat-1M and BurstGPT, both about 100 tokens. */
const MEDIAN_CHARACTERS = 400;
const LENGTH_SIGMA = 1.3;
const MOST_CHARACTERS = 60_000;
const SYSTEM_CHARACTERS = 600;
const REPLICAS = 8;
const OPEN_PER_REPLICA = 32;
const TICK_MS = 25;
const MOST_WAIT_MS = 60_000;
const WARM = 5000;
const CALLS = 20_000;
/** Prompts that go round, so that making them is no part of it. */
const PROMPTS = 2000;

const policy = sloPolicySchema.parse({ name: 'interactive', targets: { ttftMs: 500, tpotMs: 50 }, priority: 100 });
/** Read from its body before the clock starts. */
const asked = readRequest('chat', Buffer.from(JSON.stringify({ model: 'm', stream: true, messages: [{ role: 'user', content: 'Hi' }] })));
const NO_HEADERS = {};
const NO_NAMES: readonly string[] = [];

export function measureDecision(): Measured {
  const random = createRandom('decisions');
  const word = () =>
    Array.from({ length: 1 + Math.floor(random() * 9) }, () => String.fromCharCode(97 + Math.floor(random() * 26))).join('');
  const vocabulary = Array.from({ length: 5000 }, word);
  const prose = (characters: number) => {
    let text = '';
    while (text.length < characters) text += `${vocabulary[Math.floor(random() ** 3 * vocabulary.length)]}${random() < 0.1 ? ', ' : ' '}`;
    return text;
  };
  const systems = Array.from({ length: 8 }, () => prose(SYSTEM_CHARACTERS));
  const prompts = Array.from({ length: PROMPTS }, (_, i) => {
    const system = systems[i % systems.length]!;
    const prompt = prose(Math.min(MOST_CHARACTERS, lognormal(random, MEDIAN_CHARACTERS, LENGTH_SIGMA)));
    return { system, prompt, pieces: [Buffer.from(system), Buffer.from(prompt)] };
  });
  const sketcher = createSketcher(deriveKey('0123456789abcdef'.repeat(4))!);
  const estimate = new TokenEstimate();
  const scheduler = withRevisionShares<QueuedRequest, ReplicaView>(schedulerPolicy(DEFAULT_POLICY).createScheduler(1));
  const { coefficients: stepTime } = measuredStepTime('llama-3.1-8b', 'H100-SXM', 1)!;
  const replicas = Array.from({ length: REPLICAS }, (_, i): ReplicaView => {
    const kvCacheTokens = 400_000;
    return {
      ...{ id: `r${i}`, revision: 1, weight: 100, maxInFlight: 256, batching: 'continuous', accepting: true, stepTime, kvCacheTokens },
      ...{ load: new ReplicaLoad(kvCacheTokens), engine: { running: OPEN_PER_REPLICA, waiting: 0, kvCacheUsage: 0.2 } },
    };
  });
  const open: { request: QueuedRequest; replica: ReplicaView }[] = [];
  const endOldest = () => {
    const oldest = open.shift();
    oldest?.replica.load.end(oldest.request, performance.now(), stepTime);
  };
  const times: number[] = [];
  for (let call = 0; call < WARM + CALLS; call++) {
    const { system, prompt, pieces } = prompts[call % PROMPTS]!;
    const startMs = performance.now();
    const text = sketcher.sketch({ prompt, system, turn: 0, earlierAnswerCharacters: 0, temperature: 0.7, tools: false });
    const inputTokens = estimate.inputTokens('m', { characters: system.length + prompt.length, tokens: 0 });
    const known = { model: 'm', class: 'interactive', tenant: DEFAULT_TENANT, inputTokens, maxTokens: null, streamed: true, text };
    const prediction = predictOutput(COLD_START_SNAPSHOT, known);
    const blocks = prefixBlocks(pieces);
    const id = `req-${call}`;
    const request = new Queued({
      id,
      requestId: id,
      request: asked,
      path: '/v1/chat/completions',
      headers: NO_HEADERS,
      model: 'm',
      deployment: 'm',
      alternatives: NO_NAMES,
      tenant: known.tenant,
      class: known.class,
      tenantWeight: 1,
      policy,
      targets: policy.targets,
      arrivalMs: startMs,
      acceptedAtMs: startMs,
      deadlines: deadlinesOf(policy.targets, startMs, prediction.p50, policy.queue.maxWaitMs),
      inputTokens,
      prediction,
      snapshotVersion: 0,
      learnFrom: 'full',
      text,
      prefix: { blocks, blockTokens: estimate.inputTokens('m', { characters: PREFIX_BLOCK_BYTES, tokens: 0 }) },
      explain: false,
      hold: null,
    });
    scheduler.enqueue(request);
    let assignment = scheduler.next(replicas, startMs, replicas);
    if (call >= WARM) times.push((performance.now() - startMs) * 1000);
    // Time goes on, as it does for the gateway: what is a little too late for an idle replica is demoted when it is so for certain.
    for (let nowMs = startMs + TICK_MS; !assignment; nowMs += TICK_MS) {
      endOldest();
      if (nowMs > startMs + MOST_WAIT_MS) throw new Error('the policy lets nothing go, with replicas that stand idle');
      assignment = scheduler.next(replicas, nowMs, replicas);
    }
    const { replica } = assignment;
    replica.load.open(request, startMs, stepTime);
    replica.load.firstToken(request, startMs, stepTime);
    open.push({ request, replica });
    if (open.length > REPLICAS * OPEN_PER_REPLICA) endOldest();
  }
  return { figures: { decisionUs: quantile(times, 0.5), decisionP99Us: quantile(times, 0.99) }, failed: 0, failure: null };
}
