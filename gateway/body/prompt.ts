/** What the gateway makes of a prompt: its length, its beginning to know it again by, and the parts that the profiler may look at. */
import type { PromptParts } from '../../core/profiler/text/sketch.ts';
import type { TextSpan } from './json-scan.ts';
import { lookedAt, type Message } from './prompt-scan.ts';
import type { RequestFields } from './request-fields.ts';

/** Length of the prompt: of text only its characters are known before the engine has tokenized it. */
export interface PromptSize {
  characters: number;
  /** Of that text, as it is written in the body. */
  bytes: number;
  tokens: number;
}

/** A completion's, where it is not one text in the body. */
export type Prompt = string | readonly (string | number | readonly number[])[];

export function isPrompt(value: unknown): value is Prompt {
  if (typeof value === 'string') return true;
  if (!Array.isArray(value)) return false;
  return isTokens(value) || value.every((item) => typeof item === 'string') || value.every((item) => Array.isArray(item) && isTokens(item));
}

const isTokens = (value: readonly unknown[]): value is number[] => value.every((item) => typeof item === 'number');
const isList = (prompt: TextSpan | Prompt): prompt is Exclude<Prompt, string> => Array.isArray(prompt);

export function sizeOfMessages(messages: readonly Message[]): PromptSize {
  const size: PromptSize = { characters: 0, bytes: 0, tokens: 0 };
  for (const { texts } of messages) {
    for (const text of texts) {
      if (text === null) continue;
      size.characters += text.characters;
      size.bytes += text.end - text.start;
    }
  }
  return size;
}

export function sizeOfPrompt(prompt: TextSpan | Prompt): PromptSize {
  if (typeof prompt === 'string') return { characters: prompt.length, bytes: Buffer.byteLength(prompt), tokens: 0 };
  if (!isList(prompt)) return { characters: prompt.characters, bytes: prompt.end - prompt.start, tokens: 0 };
  const size: PromptSize = { characters: 0, bytes: 0, tokens: 0 };
  for (const item of prompt) {
    if (typeof item === 'string') {
      size.characters += item.length;
      size.bytes += Buffer.byteLength(item);
    } else size.tokens += typeof item === 'number' ? 1 : item.length;
  }
  return size;
}

/** Each of several prompts is answered. */
export function promptsIn(prompt: TextSpan | Prompt): number {
  return !isList(prompt) || typeof prompt[0] === 'number' ? 1 : Math.max(1, prompt.length);
}

/** Roles and texts in turn, up to the first thing that is no text. */
export function piecesOfMessages(body: Buffer, messages: readonly Message[]): Buffer[] {
  const pieces: Buffer[] = [];
  for (const { role, texts } of messages) {
    if (role) pieces.push(body.subarray(role.start, role.end));
    for (const text of texts) {
      if (text === null) return pieces;
      pieces.push(body.subarray(text.start, text.end));
    }
  }
  return pieces;
}

/** Several prompts are several sequences for an engine: only the first is looked at. */
export function piecesOfPrompt(body: Buffer, prompt: TextSpan | Prompt): Buffer[] {
  if (typeof prompt === 'string') return [];
  if (!isList(prompt)) return [body.subarray(prompt.start, prompt.end)];
  return typeof prompt[0] === 'string' ? [Buffer.from(prompt[0])] : [];
}

/** What is asked for is the last message of the user; what the model said before tells how long it answers here. */
export function partsOfChat(fields: RequestFields, messages: readonly Message[]): PromptParts | null {
  const { body } = fields;
  let last = messages.at(-1);
  if (!last) return null;
  const system: (TextSpan | null)[][] = [];
  let turns = 0;
  let answers = 0;
  let answerCharacters = 0;
  for (const message of messages) {
    const role = message.role && body.toString('utf8', message.role.start, message.role.end);
    if (role === '"user"') {
      turns += 1;
      last = message;
    } else if (role === '"assistant"') {
      answers += 1;
      answerCharacters += message.characters;
    } else if (role === '"system"' || role === '"developer"') system.push([...message.texts]);
  }
  if (turns === 0) last = messages.at(-1)!;
  const { text, characters } = lookedAt(body, last.texts);
  return {
    prompt: text,
    promptCharacters: characters,
    system: system.map((texts) => lookedAt(body, texts).text).join('\n'),
    turn: Math.max(0, turns - 1),
    earlierAnswerCharacters: answers > 0 ? answerCharacters / answers : 0,
    temperature: temperatureOf(fields),
    tools: fields.hasItems('tools'),
  };
}

export function partsOfCompletion(fields: RequestFields, prompt: TextSpan | Prompt): PromptParts | null {
  const others = { system: '', turn: 0, earlierAnswerCharacters: 0, temperature: temperatureOf(fields), tools: false };
  if (typeof prompt === 'string') return { prompt, promptCharacters: prompt.length, ...others };
  if (!isList(prompt)) {
    const { text, characters } = lookedAt(fields.body, [prompt]);
    return { prompt: text, promptCharacters: characters, ...others };
  }
  const [first] = prompt;
  return typeof first === 'string' ? { prompt: first, promptCharacters: first.length, ...others } : null;
}

function temperatureOf(fields: RequestFields): number | null {
  const temperature = fields.value('temperature');
  return typeof temperature === 'number' && Number.isFinite(temperature) ? temperature : null;
}
