/** What the gateway makes of a prompt: its length, its beginning to know it again by, and the parts that the profiler may look at. */
import type { PromptParts } from '../../core/profiler/text/sketch.ts';
import type { TextSpan } from './json-scan.ts';
import { lookedAt, type Message, type Messages, type PromptList } from './prompt-scan.ts';
import type { RequestFields } from './request-fields.ts';

/** Length of the prompt: of text only its characters are known before the engine has tokenized it. */
export interface PromptSize {
  characters: number;
  /** Of that text, as it is written in the body. */
  bytes: number;
  tokens: number;
}

export const sizeOfMessages = ({ characters, bytes }: Messages): PromptSize => ({ characters, bytes, tokens: 0 });

export function sizeOfPrompt(prompt: TextSpan | PromptList): PromptSize {
  return isList(prompt)
    ? { characters: prompt.characters, bytes: prompt.bytes, tokens: prompt.tokens }
    : { characters: prompt.characters, bytes: prompt.end - prompt.start, tokens: 0 };
}

const isList = (prompt: TextSpan | PromptList): prompt is PromptList => 'prompts' in prompt;

/** Each of several prompts is answered. */
export function promptsIn(prompt: TextSpan | PromptList): number {
  return isList(prompt) ? prompt.prompts : 1;
}

/** Several prompts are several sequences for an engine: only the first is looked at. */
function textOf(prompt: TextSpan | PromptList): TextSpan | null {
  return isList(prompt) ? prompt.first : prompt;
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

export function piecesOfPrompt(body: Buffer, prompt: TextSpan | PromptList): Buffer[] {
  const text = textOf(prompt);
  return text && text.end > text.start ? [body.subarray(text.start, text.end)] : [];
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

export function partsOfCompletion(fields: RequestFields, prompt: TextSpan | PromptList): PromptParts | null {
  const first = textOf(prompt);
  if (!first) return null;
  const { text, characters } = lookedAt(fields.body, [first]);
  return {
    prompt: text,
    promptCharacters: characters,
    system: '',
    turn: 0,
    earlierAnswerCharacters: 0,
    temperature: temperatureOf(fields),
    tools: false,
  };
}

function temperatureOf(fields: RequestFields): number | null {
  const temperature = fields.value('temperature');
  return typeof temperature === 'number' && Number.isFinite(temperature) ? temperature : null;
}
