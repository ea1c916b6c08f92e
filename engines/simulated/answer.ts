/** What a request will be answered: how long, why it ends, and the text, all decided by the request's content and a seed. */
import { createRandom, hash32, lognormal } from '../../core/simulator/random.ts';
import { createFiller } from './filler.ts';
import type { GenerationRequest } from './request.ts';
import type { Structure } from './structure.ts';

export interface Answer {
  outputTokens: number;
  finishReason: 'stop' | 'length' | 'tool_calls';
  /** The stop string that was met. */
  stopReason: string | null;
  /** Text of the next token. */
  nextPiece: () => string;
}

/** Chat answers of public traces have medians between 100 and 250 tokens and tails of this weight. */
const MEDIAN_OUTPUT_TOKENS = 150;
const OUTPUT_SIGMA = 0.8;

/**
 * @param limitTokens most tokens of output that the request and the context allow
 * @param choice which of the answers to the same prompt
 * @param lengthFactor a fault: answers this many times longer than they would be; what `ignore_eos` fixes stays
 */
export function planAnswer(request: GenerationRequest, seed: string, limitTokens: number, lengthFactor: number, choice = 0): Answer {
  if (request.structure) return structured(request.structure, limitTokens);
  const key = `${seed}:${hash32(request.content)}${choice === 0 ? '' : `:${choice}`}`;
  const wanted = wantedTokens(request, key, lengthFactor);
  const outputTokens = Math.min(wanted, limitTokens);
  const filler = createFiller(`${key}:text`);
  const answer: Answer = {
    outputTokens,
    finishReason: wanted > limitTokens ? 'length' : 'stop',
    stopReason: null,
    nextPiece: filler,
  };
  return request.stop.length === 0 ? answer : cutAtStop(answer, request);
}

const CHARACTERS_PER_TOKEN = 4;

/** Its length is that of its text. */
function structured({ tool, text }: Structure, limitTokens: number): Answer {
  const wanted = Math.ceil(text.length / CHARACTERS_PER_TOKEN);
  let index = 0;
  return {
    outputTokens: Math.min(wanted, limitTokens),
    finishReason: wanted > limitTokens ? 'length' : tool === null ? 'stop' : 'tool_calls',
    stopReason: null,
    nextPiece: () => {
      const at = CHARACTERS_PER_TOKEN * index++;
      return text.slice(at, at + CHARACTERS_PER_TOKEN);
    },
  };
}

/** A prompt that is to be read and not answered. */
export const NO_ANSWER: Answer = { outputTokens: 1, finishReason: 'stop', stopReason: null, nextPiece: () => '' };

function wantedTokens(request: GenerationRequest, key: string, lengthFactor: number): number {
  if (request.ignoreEos && request.exactTokens === null) return Number.POSITIVE_INFINITY;
  const length = request.exactTokens ?? lognormal(createRandom(`${key}:length`), MEDIAN_OUTPUT_TOKENS, OUTPUT_SIGMA);
  return Math.max(1, request.minTokens, Math.round(length * lengthFactor));
}

/** Ends the answer before the first stop string after `minTokens`: the string itself is generated and not returned. */
function cutAtStop(answer: Answer, request: GenerationRequest): Answer {
  const pieces = Array.from({ length: answer.outputTokens }, answer.nextPiece);
  const text = pieces.join('');
  const from = pieces.slice(0, request.minTokens).join('').length;
  const [first] = request.stop
    .map((stop) => ({ stop, at: text.indexOf(stop, from) }))
    .filter(({ at }) => at >= 0)
    .toSorted((a, b) => a.at - b.at);
  let index = 0;
  const nextPiece = () => pieces[index++] ?? '';
  if (!first) return { ...answer, nextPiece };

  let generated = 0;
  let outputTokens = 0;
  for (; generated < first.at + first.stop.length; outputTokens++) {
    const piece = pieces[outputTokens] as string;
    pieces[outputTokens] = piece.slice(0, Math.max(0, first.at - generated));
    generated += piece.length;
  }
  return { outputTokens, finishReason: 'stop', stopReason: first.stop, nextPiece };
}
