/** Limits on a replica's admission: what makes them, and how they go again. */
import { describe, expect, it } from 'vitest';
import { Looking, replicaEvidence } from '../../../test/support/monitoring.ts';

type Parts = Parameters<typeof replicaEvidence>[0];
const seen = (...parts: Parts[]) => ({ replicas: parts.map((p, i) => replicaEvidence({ replicaId: `r${i}`, ...p })) });

describe('a KV cache', () => {
  it('with more in use than gateways reckon is filled less', () => {
    const { changes } = new Looking().lookFor(20, seen({ kvUsage: 0.8, expectedKvUsage: 0.4 }));
    expect(changes).toEqual([{ kind: 'limit-admission', replicaId: 'r0', kvShare: 0.5, maxInFlightShare: 1 }]);
  });

  it('with less in use than reckoned, while the reckoning holds back, is filled more; undone where nothing comes of it', () => {
    const looking = new Looking();
    const wasted = seen({ kvUsage: 0.4, expectedKvUsage: 0.9 });
    expect(looking.lookFor(30, wasted).changes).toEqual([{ kind: 'limit-admission', replicaId: 'r0', kvShare: 1.25, maxInFlightShare: 1 }]);
    expect(looking.lookFor(60, wasted).end).toHaveLength(1);
    const other = new Looking();
    other.lookFor(30, wasted);
    expect(other.lookFor(60, seen({ kvUsage: 0.5, expectedKvUsage: 0.8 })).keep).toHaveLength(1);
  });

  it.each([
    ['little is in use', { kvUsage: 0.3, expectedKvUsage: 0.1 }],
    ['the reckoning holds nothing back', { kvUsage: 0.2, expectedKvUsage: 0.5 }],
    ['the engine does not say', { kvUsage: null, expectedKvUsage: 0.9 }],
    ['no gateway says', { kvUsage: 0.9, expectedKvUsage: null }],
    ['they nearly agree', { kvUsage: 0.9, expectedKvUsage: 0.75 }],
  ])('is left alone where %s', (_, parts) => {
    expect(new Looking().lookFor(120, seen(parts)).findings).toEqual([]);
  });

  it('is left alone where most replicas look alike: it is the reckoning then', () => {
    const alike = { kvUsage: 0.8, expectedKvUsage: 0.4 };
    const { findings, changes } = new Looking().lookFor(60, seen(alike, alike, {}));
    expect(changes).toEqual([]);
    expect(findings[0]!.message).toContain('likelier the reckoning');
  });
});

describe('preemptions', () => {
  const evicting = seen({ preemptions: 20 });

  it('tighten at once; not where they are few, for many requests or for few', () => {
    expect(new Looking().look(evicting).begin).toMatchObject([{ change: { kvShare: 0.85 } }]);
    expect(new Looking().lookFor(60, seen({ preemptions: 7, judged: 10, attained: 10 })).findings).toEqual([]);
    expect(new Looking().lookFor(60, seen({ preemptions: 20, judged: 1000, attained: 990 })).findings).toEqual([]);
  });

  it('that fall are answered step by step, those that do not are not: the limit goes', () => {
    const looking = new Looking();
    looking.look(evicting);
    const half = looking.lookFor(70, seen({ preemptions: 9 }));
    expect(half).toMatchObject({ begin: [{ change: { kvShare: 0.72 } }], end: [{ reason: expect.stringContaining('replaced') }] });
    const stuck = new Looking();
    stuck.look(evicting);
    expect(stuck.lookFor(120, evicting)).toMatchObject({ keep: [], begin: [], end: [{ reason: expect.stringContaining('did not help') }] });
  });

  it('of which a limit cures but costs attainment have none', () => {
    const looking = new Looking();
    looking.look(evicting);
    expect(looking.lookFor(60, seen({ attained: 80 })).end).toMatchObject([
      { reason: expect.stringContaining('costs more than it helps') },
    ]);
  });

  it('gone, the limit is loosened step by step while it is felt, and ends', () => {
    const looking = new Looking();
    looking.look(evicting);
    const { changes, end } = looking.lookFor(400, seen({}));
    expect(changes).toMatchObject([{ kvShare: 0.9 }, { kvShare: 0.95 }]);
    expect(end).toHaveLength(3);
    expect(looking.memory.active).toEqual([]);
  });

  it('gone with the traffic, nothing is known and the limit stays', () => {
    const looking = new Looking();
    looking.look(evicting);
    looking.lookFor(70, seen({}));
    expect(looking.lookFor(1000, seen({ kvUsage: 0.2, expectedKvUsage: 0.2 })).end).toEqual([]);
  });

  it('that come back when a limit is loosened make it wait twice as long the next time', () => {
    const looking = new Looking();
    looking.look(evicting);
    const waits: number[] = [];
    for (let round = 0; round < 3; round++) {
      let seconds = 0;
      while (looking.look(seen({})).end.length === 0) seconds += 10;
      waits.push(seconds);
      looking.lookFor(40, evicting);
    }
    expect(waits[1]! - waits[0]!).toBeGreaterThanOrEqual(50);
    expect(waits[2]! - waits[1]!).toBeGreaterThanOrEqual(100);
  });
});

describe('an engine that ended for want of memory', () => {
  const away = { kvUsage: null, expectedKvUsage: null, stepTimeRatio: null };

  it('is filled clearly less than it was, at once, and the exit counts once however long it is in the window', () => {
    const looking = new Looking();
    looking.lookFor(30, seen({ kvUsage: 0.8, expectedKvUsage: 0.8 }));
    const { changes } = looking.lookFor(30, seen({ ...away, outOfMemoryExits: 1 }));
    expect(changes).toEqual([{ kind: 'limit-admission', replicaId: 'r0', kvShare: 0.54, maxInFlightShare: 0.75 }]);
  });

  it('and again within minutes is tightened further and its deployment reshaped, once', () => {
    const looking = new Looking();
    looking.lookFor(30, seen({ kvUsage: 0.8, expectedKvUsage: 0.8 }));
    looking.look(seen({ outOfMemoryExits: 1 }));
    const again = looking.lookFor(20, seen({ outOfMemoryExits: 2, memoryUtilisation: 0.85, maxSequences: 128 }));
    expect(again.changes).toEqual([
      { kind: 'limit-admission', replicaId: 'r0', kvShare: 0.41, maxInFlightShare: 0.56 },
      { kind: 'reshape-engine', deployment: 'd', memoryUtilisation: 0.77, maxSequences: 96 },
    ]);
    expect(again.end).toHaveLength(1);
    expect(looking.lookFor(10, seen({ outOfMemoryExits: 3 })).changes).toMatchObject([{ kind: 'limit-admission' }]);
  });

  it('keeps its limit for ten quiet minutes', () => {
    const looking = new Looking();
    looking.look(seen({ outOfMemoryExits: 1 }));
    expect(looking.lookFor(600, seen({})).end).toEqual([]);
    expect(looking.lookFor(60, seen({})).end).toHaveLength(1);
  });

  it('keeps it though attainment falls', () => {
    const looking = new Looking();
    looking.look(seen({ outOfMemoryExits: 1 }));
    expect(looking.lookFor(100, seen({ attained: 60 }))).toMatchObject({ end: [], keep: [{}] });
  });

  it('gets the limit back that a further one replaced, when that one does not help', () => {
    const looking = new Looking();
    looking.look(seen({ outOfMemoryExits: 1 }));
    looking.lookFor(70, seen({}));
    expect(looking.look(seen({ preemptions: 20 })).begin).toMatchObject([{ change: { kvShare: 0.38 } }]);
    const after = looking.lookFor(100, seen({ preemptions: 20 }));
    expect(after.end).toMatchObject([{ reason: expect.stringContaining('did not help') }]);
    expect(after.changes).toMatchObject([{ kvShare: 0.45 }]);
  });
});
