import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { answerEvidence, Looking, replicaEvidence } from '../../../test/support/monitoring.ts';
import type { CorrectionChange, Verdict } from './correction.ts';
import type { Evidence } from './evidence.ts';
import { keyOf } from './memory.ts';
import { emptyMemory, monitor, WINDOW_MS } from './monitor.ts';

const SLOW = { replicas: [replicaEvidence({ stepTimeRatio: 2 })] };
const NOTHING: Verdict = { findings: [], begin: [], end: [], keep: [] };

it('all as predicted, nothing happens', () => {
  expect(new Looking().lookFor(600)).toEqual({ ...NOTHING, changes: [] });
});

it('the same memory and evidence give the same verdict, and leave the memory given as it was', () => {
  const evidence: Evidence = { atMs: 5, windowMs: WINDOW_MS, answers: [], replicas: [replicaEvidence({ outOfMemoryExits: 1 })] };
  const before = structuredClone(emptyMemory);
  expect(monitor(emptyMemory, evidence)).toEqual(monitor(emptyMemory, evidence));
  expect(emptyMemory).toEqual(before);
});

describe('a clock that goes back', () => {
  it('decides nothing, and corrections are judged and rest by the new time', () => {
    const looking = new Looking();
    expect(looking.lookFor(30, SLOW).begin).toHaveLength(1);
    looking.atMs -= 900_000;
    expect(looking.look(SLOW)).toEqual(NOTHING);
    expect(looking.lookFor(100, SLOW).end).toHaveLength(1);
  });

  it('or forward by years and back holds nothing up', () => {
    const looking = new Looking();
    looking.lookFor(30, SLOW);
    looking.atMs += 1e12;
    looking.look(SLOW);
    looking.atMs -= 1e12;
    looking.look(SLOW);
    expect(looking.lookFor(800, SLOW).begin.length).toBeGreaterThan(0);
  });
});

describe('a rebalance', () => {
  const failing = { ...SLOW, answers: [answerEvidence({ attained: 100 })] };
  const cured = { replicas: [replicaEvidence()], answers: [answerEvidence({ attained: 100 })] };

  it('is asked for where a model misses its SLO for a minute with a correction in force that has helped, once in ten minutes', () => {
    const looking = new Looking();
    expect(looking.lookFor(20, failing).changes).toMatchObject([{ kind: 'recalibrate-step-time' }]);
    expect(looking.lookFor(120, cured).changes).toEqual([{ kind: 'rebalance', model: 'm' }]);
    expect(looking.lookFor(500, cured).changes).toEqual([]);
    expect(looking.lookFor(100, cured).changes).toHaveLength(1);
  });

  it("is none of the monitor's where nothing was corrected", () => {
    expect(new Looking().lookFor(600, cured).changes).toEqual([]);
  });
});

it('a replica that nobody has seen for half an hour has no correction', () => {
  const looking = new Looking();
  looking.lookFor(100, SLOW);
  looking.look({ replicas: [replicaEvidence({ outOfMemoryExits: 1 })] });
  looking.lookFor(100);
  expect(looking.memory.active).toHaveLength(1);
  expect(looking.lookFor(1900, { replicas: [] }).end).toMatchObject([{ reason: 'the replica is gone' }]);
  expect(looking.memory).toMatchObject({ active: [], replicas: {}, changedAtMs: {}, restsUntilMs: {} });
});

describe('whatever the evidence', () => {
  const absurd = fc.oneof(
    fc.double(),
    fc.constantFrom(Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY, -1, 0, 1, 1e308, 5e-324),
    fc.double({ min: 0, max: 3, noNaN: true }),
    fc.integer({ min: 0, max: 500 }),
  );
  const orNull = fc.option(absurd);
  const name = fc.constantFrom('a', 'b', 'constructor', '__proto__', '', 'a class b');
  const answers = fc.record({
    model: name,
    class: name,
    answers: absurd,
    aboveP50: absurd,
    aboveP90: absurd,
    medianRatio: absurd,
    judged: absurd,
    attained: absurd,
  });
  const coefficient = fc.oneof({ weight: 4, arbitrary: fc.double({ min: 1e-9, max: 100, noNaN: true }) }, absurd);
  const coefficients = fc.record({
    ...{ d0: coefficient, d1: coefficient, d2: coefficient, ra: coefficient, rc: coefficient, rb: coefficient, o: coefficient },
  });
  const replica = fc.record({
    replicaId: name,
    deployment: name,
    model: name,
    generation: absurd,
    stepTimeRatio: orNull,
    stepTimeFit: fc.option(coefficients),
    stepTime: fc.option(coefficients),
    kvUsage: orNull,
    expectedKvUsage: orNull,
    preemptions: absurd,
    outOfMemoryExits: absurd,
    running: absurd,
    waiting: absurd,
    judged: absurd,
    attained: absurd,
  });
  const sane = fc.integer({ min: 0, max: 3_600_000 });
  const evidence = fc.record({
    atMs: fc.oneof({ weight: 4, arbitrary: sane }, absurd),
    windowMs: fc.oneof({ weight: 4, arbitrary: fc.constant(WINDOW_MS) }, absurd),
    answers: fc.array(answers, { maxLength: 4 }),
    replicas: fc.array(replica, { maxLength: 4 }),
  });

  it('it holds: no error, plain memory, changes within bounds, each begun once and ended at most once, one in force of a kind and subject', () => {
    fc.assert(
      fc.property(fc.array(evidence, { maxLength: 30 }), fc.boolean(), (looks, inOrder) => {
        let memory = emptyMemory;
        let atMs = 0;
        const inForce = new Map<string, CorrectionChange>();
        for (const look of looks) {
          atMs += 10_000;
          const answer = monitor(memory, inOrder ? { ...look, atMs, windowMs: WINDOW_MS } : look);
          memory = JSON.parse(JSON.stringify(answer.memory, finite));
          const { begin, end, keep } = answer.verdict;
          for (const { id } of end) expect(inForce.delete(id)).toBe(true);
          for (const { id, change } of begin) {
            expectWithinBounds(change);
            if (change.kind === 'reshape-engine' || change.kind === 'rebalance') continue;
            expect([...inForce.values()].map(keyOf)).not.toContain(keyOf(change));
            inForce.set(id, change);
          }
          for (const { id } of keep) {
            expect(inForce.has(id)).toBe(true);
            if (inForce.get(id)!.kind === 'recalibrate-lengths') inForce.delete(id);
          }
          expect(memory.active.map(({ id }) => id).sort()).toEqual([...inForce.keys()].sort());
        }
      }),
      { numRuns: 300 },
    );
  });

  it('it does nothing where every figure is nonsense', () => {
    const nonsense = fc.constantFrom(Number.NaN, Number.NEGATIVE_INFINITY, -1, Number.POSITIVE_INFINITY);
    const bad = fc.record({
      answers: fc.array(
        fc.tuple(nonsense, nonsense).map(([a, b]) => answerEvidence({ answers: a, medianRatio: b })),
        { maxLength: 3 },
      ),
      replicas: fc.array(
        fc
          .tuple(nonsense, nonsense, nonsense, nonsense, nonsense)
          .map(([a, b, c, d, e]) =>
            replicaEvidence({ stepTimeRatio: a, kvUsage: b, expectedKvUsage: c, preemptions: d, outOfMemoryExits: e }),
          ),
        { maxLength: 3 },
      ),
    });
    fc.assert(
      fc.property(fc.array(bad, { maxLength: 10 }), (looks) => {
        const looking = new Looking();
        for (const look of looks) expect(looking.look(look)).toEqual(NOTHING);
      }),
    );
  });
});

/** JSON would make null of it. */
function finite(key: string, value: unknown): unknown {
  if (typeof value === 'number') expect(value, key).toSatisfy(Number.isFinite);
  return value;
}

function expectWithinBounds(change: CorrectionChange): void {
  const figures = Object.values(change).filter((value) => typeof value === 'number');
  for (const figure of figures) expect(figure).toSatisfy((value: number) => Number.isFinite(value) && value > 0);
  if (change.kind === 'recalibrate-lengths') expect(change.factor).toSatisfy((f: number) => f >= 0.25 && f <= 4);
  if (change.kind === 'recalibrate-step-time')
    for (const factor of [change.factor, ...Object.values(change.factors ?? {})])
      expect(factor).toSatisfy((f: number) => f >= 0.1 && f <= 10);
  if (change.kind === 'limit-admission') {
    expect(change.kvShare).toSatisfy((s: number) => s >= 0.2 && s <= 1.5);
    expect(change.maxInFlightShare).toSatisfy((s: number) => s >= 0.2 && s <= 1);
  }
}
