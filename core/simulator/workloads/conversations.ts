/**
 * Conversations whose prompts repeat all that was said: each turn's prompt is the one before, its answer, and what the user adds.
 *
 * Source of all constants: computed from Mooncake's conversation trace (kvcache-ai/Mooncake, FAST'25, Apache-2.0), 12,031 requests in 59
 * minutes. Turns were told by shared blocks beyond the first, which all requests share (the system prompt).
 */
import { createRandom, lognormal, type Random } from '../random.ts';
import type { TraceRequest } from '../traces/rows.ts';
import { fromQuantiles, type QuantileTable } from './distributions.ts';

export const MOONCAKE_TRACE = {
  requestsPerSecond: 3.4,
  blockTokens: 512,
  mostInputTokens: 126_195,
  /** Prompts that continue none before them, tokens. */
  firstInput: [
    [0, 891],
    [0.01, 894],
    [0.05, 897],
    [0.1, 905],
    [0.25, 1336],
    [0.5, 5264],
    [0.75, 13_056],
    [0.9, 25_561],
    [0.95, 38_538],
    [0.975, 58_648],
    [0.99, 89_869],
    [1, 126_195],
  ],
  output: [
    [0, 1],
    [0.01, 3],
    [0.05, 10],
    [0.1, 24],
    [0.25, 156],
    [0.5, 350],
    [0.75, 472],
    [0.9, 597],
    [0.95, 698],
    [0.99, 1120],
    [1, 2000],
  ],
  /**
   * What a turn adds to the prompt and the answer before it, tokens. In the trace one turn in nine drops more than it adds; these never do,
   * so the quantiles from the ninth tenth on are lowered, to a mean of 984 (the trace's: 893).
   */
  added: [
    [0, 1],
    [0.25, 7],
    [0.5, 23],
    [0.75, 425],
    [0.9, 3000],
    [0.95, 5000],
    [0.99, 12_000],
    [1, 40_000],
  ],
  /**
   * Share of the conversations that go on after the first, second, ... turn; the last holds for all turns from there on. Measured are 0.31
   * and 0.42 for the first two: lowered to the trace's 36.6 % of repeated blocks, because these turns keep all of the prompt before them.
   */
  goesOn: [0.28, 0.4, 0.51, 0.59, 0.59, 0.68, 0.75],
  /** From one turn to the next: lognormal. */
  pause: { medianSeconds: 123, sigma: 1.03 },
} as const satisfies Record<string, unknown> & Record<'firstInput' | 'output' | 'added', QuantileTable>;

/** Conversations are under way when the stream begins, so that it is as dense at its start as later. */
const WARM_UP_SECONDS = 3600;
const MOST_TURNS = 200;

interface Turn {
  arrivalMs: number;
  outputTokens: number;
  conversation: Conversation;
  /** From 0. */
  number: number;
}

interface Conversation {
  number: number;
  class: string;
  /** Of each turn. */
  inputTokens: number[];
}

export interface ConversationOptions {
  seed: number | string;
  requests: number;
  requestsPerSecond: number;
  /** The class of a conversation. */
  drawClass: (random: Random) => string;
}

/**
 * By arrival, with prefix blocks of 512 tokens. As in the trace, more of them are repeats the longer the stream: of 12,000 requests 37 % of
 * the blocks, of 1,000 a fifth, because the turns before the stream's start are in no cache.
 */
export function conversationWorkload(options: ConversationOptions): TraceRequest[] {
  const { seed, requests, requestsPerSecond } = options;
  const starts = createRandom(`${seed}:arrivals`);
  const conversationsPerSecond = requestsPerSecond / meanTurns();
  const turns: Turn[] = [];
  let startSeconds = -WARM_UP_SECONDS;
  let untilSeconds = requests / requestsPerSecond;
  for (let number = 0; ; number++) {
    startSeconds -= Math.log(1 - starts()) / conversationsPerSecond;
    if (startSeconds > untilSeconds) {
      // No conversation that is still to come can have a turn before this one begins.
      if (turns.filter((turn) => turn.arrivalMs < startSeconds * 1000).length >= requests) break;
      untilSeconds = startSeconds + (0.1 * requests) / requestsPerSecond;
    }
    for (const turn of converse(number, startSeconds, options)) if (turn.arrivalMs >= 0) turns.push(turn);
  }
  turns.sort((a, b) => a.arrivalMs - b.arrivalMs);
  return turns.slice(0, requests).map(requestOf);
}

function converse(number: number, startSeconds: number, { seed, drawClass }: ConversationOptions): Turn[] {
  // A generator each: a longer stream begins with the shorter one.
  const random = createRandom(`${seed}:conversation:${number}`);
  const conversation: Conversation = { number, class: drawClass(random), inputTokens: [] };
  const turns: Turn[] = [];
  let seconds = startSeconds;
  let inputTokens = fromQuantiles(random, MOONCAKE_TRACE.firstInput);
  while (inputTokens <= MOONCAKE_TRACE.mostInputTokens && turns.length < MOST_TURNS) {
    const outputTokens = fromQuantiles(random, MOONCAKE_TRACE.output);
    conversation.inputTokens.push(inputTokens);
    turns.push({ arrivalMs: seconds * 1000, outputTokens, conversation, number: turns.length });
    if (random() >= goesOnAfter(turns.length)) break;
    seconds += lognormal(random, MOONCAKE_TRACE.pause.medianSeconds, MOONCAKE_TRACE.pause.sigma);
    inputTokens += outputTokens + fromQuantiles(random, MOONCAKE_TRACE.added);
  }
  return turns;
}

function goesOnAfter(turns: number): number {
  const { goesOn } = MOONCAKE_TRACE;
  return goesOn[Math.min(turns, goesOn.length) - 1]!;
}

function meanTurns(): number {
  let mean = 0;
  let reached = 1;
  for (let turn = 1; turn <= MOST_TURNS; turn++) {
    mean += reached;
    reached *= goesOnAfter(turn);
  }
  return mean;
}

function requestOf({ arrivalMs, outputTokens, conversation, number }: Turn): TraceRequest {
  const inputTokens = conversation.inputTokens[number]!;
  const prefixBlocks = blocksOf(conversation.number, number, inputTokens);
  return { arrivalMs, inputTokens, outputTokens, class: conversation.class, prefixBlocks };
}

/**
 * The first block is everyone's. A full block keeps its content in all later turns of its conversation; the last one, which is not full,
 * has other content in the next turn. Ids: 512 a conversation, the lower half for full blocks by position, the upper for the last by turn.
 */
function blocksOf(conversation: number, turn: number, inputTokens: number): number[] {
  const base = 512 * (conversation + 1);
  const blocks = Array.from({ length: Math.floor(inputTokens / MOONCAKE_TRACE.blockTokens) }, (_, i) => (i === 0 ? 0 : base + i));
  if (inputTokens % MOONCAKE_TRACE.blockTokens !== 0) blocks.push(base + 256 + turn);
  return blocks;
}
