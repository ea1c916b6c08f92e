import { describe, expect, it } from 'vitest';
import { stageLines } from '../details.ts';
import { stagesBar } from '../rollouts.ts';
import { bar, shareIn } from './bar.ts';

describe('bar', () => {
  it.each([
    [0, '░░░░'],
    [0.5, '██░░'],
    [1, '████'],
    [7, '████'],
    [-1, '░░░░'],
  ])('of %d', (share, drawn) => expect(bar(share, false, 4)).toBe(drawn));

  it('is read off a line that says how far it is', () => {
    expect(shareIn('chat-1 on h2: copies /share: 3.0 GB of 9.0 GB (33 %), 210 MB/s')).toBe(0.33);
    expect(shareIn('serves at http://127.0.0.1:1')).toBeUndefined();
  });
});

const fetching = { stage: 'fetch', state: 'running', detail: '3.0 GB of 6.0 GB (50 %)', startedAtMs: 0, endedAtMs: null } as const;
const resolved = { stage: 'resolve', state: 'done', detail: '7.6 B parameters', startedAtMs: 0, endedAtMs: 1000 } as const;
const status = { phase: 'running', stage: 'fetch', reason: '', planId: null, stages: [resolved, fetching] } as const;

it('stands before the bytes of weights that are being fetched, and nowhere else', () => {
  const [first, second] = stageLines({ ...status, stages: [...status.stages] }, false);
  expect(first).toBe('resolve    done        1.0 s  7.6 B parameters');
  expect(second).toBe('fetch      running            ████████████░░░░░░░░░░░░ 3.0 GB of 6.0 GB (50 %)');
});

it('is full once a rollout is over', () => {
  const begun = { ...status, stages: [...status.stages] };
  expect(stagesBar(begun, false)).toBe('██░░░░░░░░░░░░░░░░░░░░░░ 1/12');
  expect(stagesBar({ ...begun, phase: 'succeeded' }, false)).toBe(`${'█'.repeat(24)} 12/12`);
});
