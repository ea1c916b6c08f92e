import { describe, expect, it } from 'vitest';
import { presentFleet, steadyStretch } from '../../test/support/what-if.ts';
import { ENOUGH_REQUESTS, type PilotEvidence, pilotResult } from './pilot.ts';
import { type WhatIfQuestion, whatIf } from './what-if.ts';
import { NO_CHANGE } from './what-if-change.ts';

const present = { ...presentFleet(), modes: { chat: 'shadow' as const } };

function ask(requests: number, parts: Partial<PilotEvidence> = {}, question: Partial<WhatIfQuestion> = {}) {
  const stretches = [steadyStretch({ requests, perSecond: 4 })];
  const change = { ...NO_CHANGE, modes: { chat: 'auto' as const } };
  const answer = whatIf({ stretches, observed: requests, present, change, ...question });
  return pilotResult({ deployment: 'chat', mode: 'shadow', modeSinceMs: 0, fromMs: 0, present, answer, proposed: null, ...parts });
}

describe('the result of a pilot', () => {
  it('has attainment as it was and as it would be, and the money of what serves', () => {
    const { policies, latencies, money, notes } = ask(ENOUGH_REQUESTS);
    expect(policies).toEqual([
      {
        ...{ policy: 'chat', targetAttainment: 0.99, requests: ENOUGH_REQUESTS, observed: 1, now: 1, wouldBe: 1 },
        ...{ margin: expect.closeTo(0.0089, 3), suffices: true },
      },
    ]);
    expect(latencies).toMatchObject({ observed: { ttftMs: { p50: 80 } }, now: { unserved: 0 }, wouldBe: { unserved: 0 } });
    expect(money).toEqual({ now: { replicas: 2, usdPerHour: 5.9 }, wouldBe: { replicas: 2, usdPerHour: 5.9 } });
    expect(notes).toEqual([]);
  });

  it('says so where there are too few requests, and how far they are from certain', () => {
    expect(ask(20).notes).toEqual([expect.stringMatching(/^chat: 20 requests are too few to go by \(300 are enough\).*± \d+\.\d points$/)]);
    const { policies, latencies, money, notes } = ask(0, {}, { stretches: [] });
    expect([policies, latencies, notes]).toEqual([[], null, [expect.stringMatching(/nothing to replay/)]]);
    expect(money.now).toEqual({ replicas: 2, usdPerHour: 5.9 });
  });

  it('has the money of what is proposed', () => {
    const outlook = { replicas: 1, capacityRequestsPerSecond: 9, usdPerHour: 2.95, attainment: 0.995 };
    const proposed = { deployment: 'chat', requestsPerSecond: 4, before: { ...outlook, replicas: 2 }, after: outlook };
    expect(ask(20, { proposed }).money.wouldBe).toEqual({ replicas: 1, usdPerHour: 2.95 });
  });

  it('tells of a mode that is newer than what was observed, and of one that schedules as auto does', () => {
    expect(ask(ENOUGH_REQUESTS, { modeSinceMs: 5000 }).notes).toEqual([
      'in shadow mode since 1970-01-01T00:00:05.000Z: what was observed before was scheduled in another mode',
    ]);
    expect(ask(ENOUGH_REQUESTS, { mode: 'advise' }).notes).toEqual([expect.stringMatching(/what-if --mode/)]);
  });

  it('does not hide that the replay is off by more than it finds', () => {
    const answer = whatIf({
      stretches: [steadyStretch({ requests: ENOUGH_REQUESTS, perSecond: 4 })],
      observed: ENOUGH_REQUESTS,
      present,
      change: NO_CHANGE,
    });
    const [chat] = answer.policies;
    chat!.observed!.attainment = 0.7;
    chat!.after!.attainment = 0.95;
    const { notes } = pilotResult({ deployment: 'chat', mode: 'shadow', modeSinceMs: 0, fromMs: 0, present, answer, proposed: null });
    expect(notes).toEqual([
      'chat: the replay is off by 30.0 points from what was observed, more than the 5.0 points that it finds between the modes',
    ]);
  });
});
