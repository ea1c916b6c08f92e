import { expect, it } from 'vitest';
import { replayScheduler } from './gateway-scheduler.ts';

it.each([
  [['edf'], 'edf', []],
  [[], 'uellm', ['no gateway says by which policy it schedules: replayed by uellm, the default']],
  [['fcfs', 'uellm'], 'fcfs', ['gateways schedule by fcfs and by uellm: replayed by fcfs']],
  [['of-tomorrow', 'edf'], 'edf', ['gateways schedule by of-tomorrow and by edf: replayed by edf']],
  [['of-tomorrow'], 'uellm', ['gateways schedule by of-tomorrow: replayed by uellm']],
])('of %j it is %s', (reported, policy, notes) => expect(replayScheduler(reported)).toEqual({ policy, notes }));
