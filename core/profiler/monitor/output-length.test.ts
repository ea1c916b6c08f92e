import { describe, expect, it } from 'vitest';
import { answerEvidence, Looking, replicaEvidence } from '../../../test/support/monitoring.ts';

const LONGER = { aboveP50: 0.9, aboveP90: 0.55, medianRatio: 3 };

describe('answers that are longer than predicted', () => {
  it('are found at once and corrected at the second look, by what the median is off', () => {
    const looking = new Looking();
    const first = looking.look({ answers: [answerEvidence(LONGER)] });
    expect(first.findings).toEqual([expect.objectContaining({ kind: 'output-length', subject: 'model m class chat' })]);
    expect(first.begin).toEqual([]);
    expect(looking.lookFor(30, { answers: [answerEvidence(LONGER)] }).changes).toEqual([
      { kind: 'recalibrate-lengths', model: 'm', class: 'chat', factor: 3 },
    ]);
  });

  it('are multiplied by four at most at a time', () => {
    const { changes } = new Looking().lookFor(40, { answers: [answerEvidence({ ...LONGER, medianRatio: 50 })] });
    expect(changes).toMatchObject([{ factor: 4 }]);
  });

  it('in most classes of a model are one correction, and no other of its classes has one meanwhile', () => {
    const answers = ['a', 'b', 'c'].map((name) => answerEvidence({ class: name, ...LONGER }));
    const looking = new Looking();
    expect(looking.lookFor(40, { answers }).changes).toEqual([{ kind: 'recalibrate-lengths', model: 'm', class: null, factor: 3 }]);
    expect(looking.lookFor(20, { answers: [answers[0]!, answerEvidence({ class: 'b' })] }).changes).toEqual([]);
  });

  it("are the learner's own once they have helped: what comes later is a correction of its own, and nothing is undone", () => {
    const looking = new Looking();
    looking.lookFor(40, { answers: [answerEvidence(LONGER)] });
    const after = looking.lookFor(120);
    expect(after.keep).toMatchObject([{ reason: expect.stringContaining('helped') }]);
    expect(after.end).toEqual([]);
    expect(looking.memory.active).toEqual([]);
    const { changes } = looking.lookFor(60, { answers: [answerEvidence({ aboveP50: 0.05, aboveP90: 0, medianRatio: 1 / 3 })] });
    expect(changes).toMatchObject([{ factor: 0.33 }]);
  });

  it.each([
    ['few', { ...LONGER, answers: 29 }],
    ['a heavy tail alone', { aboveP50: 0.5, aboveP90: 0.4, medianRatio: 1 }],
    ['a heavy tail with a median a little off', { aboveP50: 0.58, aboveP90: 0.4, medianRatio: 1.15 }],
    ['a median that is off by chance', { answers: 30, aboveP50: 0.7, aboveP90: 0.2, medianRatio: 1.5 }],
    ['a learner on its way', { aboveP50: 0.6, aboveP90: 0.17, medianRatio: 1.25 }],
  ])('are not found in %s', (_, parts) => {
    expect(new Looking().lookFor(120, { answers: [answerEvidence(parts)] }).findings).toEqual([]);
  });

  it('are not found where traffic has just ended: what still ends then is long', () => {
    const looking = new Looking();
    looking.lookFor(120);
    expect(looking.lookFor(20, { answers: [answerEvidence({ ...LONGER, answers: 60 })], replicas: [replicaEvidence()] }).findings).toEqual(
      [],
    );
  });
});

it('a factor waits until both windows are of the new lengths: half of it would be corrected otherwise', () => {
  const looking = new Looking();
  const at = (medianRatio: number) => looking.look({ answers: [answerEvidence({ ...LONGER, medianRatio })] }).begin.map((b) => b.change);
  expect([1.5, 2.1, 2.9].flatMap(at)).toEqual([]);
  expect(at(3)).toMatchObject([{ factor: 3 }]);
});
