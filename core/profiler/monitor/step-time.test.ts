import { describe, expect, it } from 'vitest';
import { Looking, replicaEvidence } from '../../../test/support/monitoring.ts';
import { furthestRatio } from '../shapes.ts';

const off = (stepTimeRatio: number | null, replicaId = 'r0', model = 'm') => replicaEvidence({ replicaId, model, stepTimeRatio });

describe('a replica whose steps take twice what is predicted', () => {
  it('is corrected at the second look', () => {
    const looking = new Looking();
    expect(looking.look({ replicas: [off(2)] })).toMatchObject({ findings: [{ kind: 'step-time', subject: 'replica r0' }], begin: [] });
    expect(looking.lookFor(30, { replicas: [off(2)] }).changes).toEqual([{ kind: 'recalibrate-step-time', replicaId: 'r0', factor: 2 }]);
  });

  it('is not where one look says so, or nobody', () => {
    const looking = new Looking();
    for (const ratio of [2, 1, 2, 1.2, 0.85, null, 2, null]) expect(looking.look({ replicas: [off(ratio)] }).begin).toEqual([]);
  });

  it('loses the correction when it is as before, without a successor', () => {
    const looking = new Looking();
    looking.lookFor(20, { replicas: [off(2)] });
    expect(looking.lookFor(120, { replicas: [off(1)] }).keep).toHaveLength(1);
    const after = looking.lookFor(20, { replicas: [off(0.5)] });
    expect(after.end).toMatchObject([{ reason: expect.stringContaining('again') }]);
    expect(after.begin).toEqual([]);
    expect(looking.memory.active).toEqual([]);
  });

  it('has its factor replaced when it changes further: both are against the coefficients without any', () => {
    const looking = new Looking();
    looking.lookFor(20, { replicas: [off(2)] });
    looking.lookFor(120, { replicas: [off(1)] });
    const { begin, end } = looking.lookFor(20, { replicas: [off(1.5)] });
    expect(end).toHaveLength(1);
    expect(begin.map((b) => b.change)).toMatchObject([{ factor: 3 }]);
  });

  it('loses a correction that does not help, and has none again for ten minutes', () => {
    const looking = new Looking();
    const { end, begin } = looking.lookFor(600, { replicas: [off(2)] });
    expect(begin).toHaveLength(1);
    expect(end).toMatchObject([{ id: begin[0]!.id, reason: expect.stringContaining('did not help') }]);
    expect(looking.lookFor(200, { replicas: [off(2)] }).begin).toHaveLength(1);
  });
});

describe('a replica whose steps tell which coefficient is off', () => {
  const stepTime = { d0: 11, d1: 0.04, d2: 8e-5, ra: 0.01, rc: 0.05, rb: 1e-6, o: 1 };
  const slowKv = { ...stepTime, d2: 3 * stepTime.d2 };
  const fitted = (inForce: typeof stepTime, stepTimeRatio: number | null = 1.1) =>
    replicaEvidence({ stepTimeRatio, stepTime: inForce, stepTimeFit: slowKv });

  it('has that one corrected, though at the load that it has it is hardly off', () => {
    const { changes } = new Looking().lookFor(30, { replicas: [fitted(stepTime)] });
    expect(changes).toEqual([
      {
        kind: 'recalibrate-step-time',
        replicaId: 'r0',
        factor: expect.closeTo(furthestRatio(slowKv, stepTime), 2),
        factors: { d0: 1, d1: 1, d2: 3, ra: 1, rc: 1, rb: 1, o: 1 },
      },
    ]);
  });

  it('keeps a correction that made it right, and replaces it against the coefficients without any', () => {
    const looking = new Looking();
    looking.lookFor(30, { replicas: [fitted(stepTime)] });
    expect(looking.lookFor(120, { replicas: [fitted(slowKv, 1)] })).toMatchObject({ begin: [], end: [], keep: [{}] });
    const slower = { ...slowKv, d2: 6 * stepTime.d2 };
    const { changes } = looking.lookFor(30, { replicas: [{ ...fitted(slowKv, 1.2), stepTimeFit: slower }] });
    expect(changes).toMatchObject([{ factors: { d0: 1, d2: 6 } }]);
  });

  it('is left alone where too few steps were seen lately', () => {
    expect(new Looking().lookFor(60, { replicas: [fitted(stepTime, null)] }).changes).toEqual([]);
  });
});

describe('a replica that was corrected to be slow and is passed over', () => {
  const nothing = { stepTimeRatio: null, running: 0, judged: 0, attained: 0 };
  const idle = replicaEvidence({ replicaId: 'r0', ...nothing });
  const busy = replicaEvidence({ replicaId: 'r1' });
  const slow = { replicas: [off(2), busy] };
  const corrected = () => {
    const looking = new Looking();
    expect(looking.lookFor(20, slow).changes).toHaveLength(1);
    return looking;
  };

  it('has its correction taken back after two minutes, and is corrected again at once should it still be slow', () => {
    const looking = corrected();
    expect(looking.lookFor(110, { replicas: [idle, busy] }).end).toEqual([]);
    expect(looking.lookFor(10, { replicas: [idle, busy] }).end).toMatchObject([
      { reason: expect.stringContaining('no requests for 120 s') },
    ]);
    expect(looking.lookFor(20, slow).changes).toEqual([{ kind: 'recalibrate-step-time', replicaId: 'r0', factor: 2 }]);
    // Twice as long the second time.
    expect(looking.lookFor(230, { replicas: [idle, busy] }).end).toEqual([]);
    expect(looking.lookFor(10, { replicas: [idle, busy] }).end).toHaveLength(1);
  });

  it('has it taken back, too, where it was found to help before', () => {
    const looking = corrected();
    expect(looking.lookFor(120, { replicas: [off(1), busy] }).keep).toHaveLength(1);
    expect(looking.lookFor(120, { replicas: [idle, busy] }).end).toHaveLength(1);
    expect(looking.lookFor(60, { replicas: [off(1), busy] })).toMatchObject({ begin: [], end: [] });
  });

  it('keeps it where requests come, or nobody of its model has any, or it is held to be quick', () => {
    expect(corrected().lookFor(600, { replicas: [off(1), busy] }).end).toEqual([]);
    expect(corrected().lookFor(600, { replicas: [idle, { ...busy, ...nothing }] }).end).toEqual([]);
    expect(corrected().lookFor(600, { replicas: [idle, { ...busy, model: 'other' }] }).end).toEqual([]);
    const quick = new Looking();
    quick.lookFor(20, { replicas: [off(0.5), busy] });
    expect(quick.lookFor(600, { replicas: [idle, busy] }).end).toEqual([]);
  });

  it('counts anew with each request that it gets', () => {
    const looking = corrected();
    looking.lookFor(110, { replicas: [idle, busy] });
    looking.look({ replicas: [{ ...idle, judged: 1, attained: 1 }, busy] });
    expect(looking.lookFor(110, { replicas: [idle, busy] }).end).toEqual([]);
  });
});

describe('most replicas off alike', () => {
  const ids = ['r0', 'r1', 'r2', 'r3', 'r4', 'r5'];
  it('of one model are corrected each, so many in a look', () => {
    const looking = new Looking();
    const replicas = ids.map((id) => off(2, id));
    looking.look({ replicas });
    expect(looking.look({ replicas }).begin).toHaveLength(4);
    expect(looking.look({ replicas }).begin).toHaveLength(2);
  });

  it('of several models are told of and left alone: it is likelier the gateways', () => {
    const { changes, findings } = new Looking().lookFor(60, { replicas: ids.map((id, i) => off(2, id, `m${i % 2}`)) });
    expect(changes).toEqual([]);
    expect(findings[0]!.message).toContain('gateways');
  });

  it('is no matter of the others where only a few are', () => {
    const replicas = ids.map((id, i) => off(i < 2 ? 2 : 1, id, `m${i % 2}`));
    expect(new Looking().lookFor(60, { replicas }).changes).toHaveLength(2);
  });
});
