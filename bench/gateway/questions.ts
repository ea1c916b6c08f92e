/** Requests as a client's bytes. Prompts are of common words by a seed: some share their beginning, as chats of one application do. */
import { createRandom } from '../../core/simulator/random.ts';
import type { Question } from './connection.ts';
import { MODEL } from './engine-answers.ts';

export interface QuestionsOptions {
  host: string;
  /** A request's own, e.g. the key. */
  headers: Readonly<Record<string, string>>;
  path?: string;
  streamed: boolean;
  tokens: number;
  /** Of the whole body, about; 1 KB where absent. */
  bodyBytes?: number;
}

const WORDS =
  'the of and to in is that it was for on are as with they at be this from have or by one had not but what all were when we there'.split(
    ' ',
  );
const COUNT = 128;
const SYSTEM_PROMPTS = 8;

/** @returns as many as go round */
export function questionsOf({ host, headers, path = '/v1/chat/completions', ...options }: QuestionsOptions): Question[] {
  const { streamed, tokens, bodyBytes = 1000 } = options;
  const random = createRandom('gateway bench');
  const text = (characters: number) => {
    let made = '';
    while (made.length < characters) made += `${WORDS[Math.floor(random() * WORDS.length)]} `;
    return made;
  };
  const systems = Array.from({ length: SYSTEM_PROMPTS }, () => text(300));
  return Array.from({ length: COUNT }, (_, i) => {
    const system = systems[i % SYSTEM_PROMPTS]!;
    const user = text(Math.max(50, bodyBytes - system.length - 200));
    const messages = [
      { role: 'system', content: system },
      { role: 'user', content: user },
    ];
    const body = JSON.stringify({ model: MODEL, messages, max_tokens: tokens, temperature: 0.7, ...(streamed && { stream: true }) });
    const given = { 'user-agent': 'OpenAI/Python 2.6.0', accept: 'application/json', 'content-type': 'application/json', ...headers };
    const lines = Object.entries(given).map(([name, value]) => `${name}: ${value}\r\n`);
    const head = `POST ${path} HTTP/1.1\r\nhost: ${host}\r\n${lines.join('')}content-length: ${Buffer.byteLength(body)}\r\n\r\n`;
    return { bytes: Buffer.from(head + body), tokens, streamed };
  });
}
