import { pino } from 'pino';
import { expect, it } from 'vitest';
import { keepRecentLines } from './recent-lines.ts';

it('passes every line on, and keeps the newest of each host', () => {
  const passed: string[] = [];
  const recent = keepRecentLines({ write: (line) => void passed.push(line) }, 3);
  const logger = pino({}, recent.destination);
  for (const [host, message] of [
    ['h1', 'long ago'],
    ['h2', 'of another'],
    ['h1', 'one'],
    ['h1', 'two'],
  ] as const)
    logger.child({ host }).info(message);
  logger.info('of all');
  expect(passed).toHaveLength(5);
  const messages = (host: string) => recent.of(host).map((line) => JSON.parse(line).msg);
  expect(messages('h1')).toEqual(['one', 'two', 'of all']);
  expect(messages('h2')).toEqual(['of all']);
});
