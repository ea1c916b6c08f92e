import { expect, it } from 'vitest';
import { commandsOf } from './shell.ts';

it.each([
  [
    'npm ci && npm start   # both',
    [
      ['npm', 'ci'],
      ['npm', 'start'],
    ],
  ],
  ['uellm host --probe > h.yaml 2>err.txt | cat', [['uellm', 'host', '--probe'], ['cat']]],
  ['curl -d \'{"a": 1}\' \\\n  x#y', [['curl', '-d', '{"a": 1}', 'x#y']]],
  ['A="$HOME/b c" uellm api', [['A=$HOME/b c', 'uellm', 'api']]],
  [
    'export K=$(uellm keys create --role admin)',
    [
      ['uellm', 'keys', 'create', '--role', 'admin'],
      ['export', 'K=$(...)'],
    ],
  ],
  [
    'echo "x $(openssl rand 3)" >> f',
    [
      ['openssl', 'rand', '3'],
      ['echo', 'x $(openssl rand 3)'],
    ],
  ],
  ['# nothing\n\n', []],
])('%s', (script, commands) => expect(commandsOf(script)).toEqual(commands));

it('refuses what is never closed', () => expect(() => commandsOf("echo 'a")).toThrow(/' is missing/));
