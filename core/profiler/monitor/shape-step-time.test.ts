import { describe, expect, it } from 'vitest';
import { multiplied, type StepTimeCoefficients, type StepTimeProfile } from '../../domain/step-time.ts';
import { type CarryOver, followShapes, type LiveReplica, type ShapeMemory } from './shape-step-time.ts';

const CALIBRATED: StepTimeCoefficients = { d0: 6, d1: 0.01, d2: 4e-5, ra: 0.015, rc: 0.006, rb: 4e-7, o: 1 };
const SHAPE = { model: 'm', accelerator: 'H100-SXM', tensorParallel: 1 };
/** One whose steps take so many times what calibration found; gateways know of a part of it, `corrected`. */
const replica = (scale: number | null, corrected = 1): LiveReplica => ({
  ...SHAPE,
  coefficients: multiplied(CALIBRATED, corrected),
  stepTimeRatio: scale === null ? null : scale / corrected,
  stepTimeFit: null,
});

/** Looks every ten seconds, and does what is carried over. */
class Following {
  profile: StepTimeProfile = { ...SHAPE, source: 'calibrated', coefficients: CALIBRATED };
  shapes: Record<string, ShapeMemory> = {};
  atMs = 0;

  lookFor(seconds: number, replicas: readonly LiveReplica[]) {
    const carried: CarryOver[] = [];
    const end: { correctionId: string; reason: string }[] = [];
    for (let i = 0; i < seconds / 10; i++) {
      const sinceMs = this.atMs === 0 ? null : this.atMs;
      this.atMs += 10_000;
      const found = followShapes(this.shapes, { profiles: [this.profile], replicas, atMs: this.atMs, sinceMs });
      // As a store would keep it.
      this.shapes = JSON.parse(JSON.stringify(found.shapes));
      end.push(...found.end);
      for (const one of found.carryOver) {
        carried.push(one);
        this.profile = { ...this.profile, coefficients: one.coefficients };
      }
    }
    return { scales: carried.map(({ scale }) => scale), carried, end };
  }

  get scale(): number {
    return this.profile.coefficients.d0 / CALIBRATED.d0;
  }
}

describe('the profile of a shape', () => {
  it('follows several replicas that agree for two minutes, however much of it gateways know of', () => {
    const following = new Following();
    const slow = [replica(1.5), replica(1.45, 1.45), replica(1.52, 1.3)];
    expect(following.lookFor(120, slow).scales).toEqual([]);
    const { carried } = following.lookFor(20, slow);
    expect(carried).toMatchObject([
      { scale: 1.5, replicas: 3, message: expect.stringContaining('150 % of what calibration found, say 3 of 3') },
    ]);
    expect(following.profile.coefficients).toEqual(multiplied(CALIBRATED, 1.5));
    expect(following.lookFor(600, slow).scales).toEqual([]);
  });

  it('follows the coefficient that they agree on, where their steps tell it apart', () => {
    const slowKv = (factor: number): LiveReplica => ({
      ...replica(1.2),
      stepTimeFit: { ...CALIBRATED, d2: factor * CALIBRATED.d2, d0: 1.02 * CALIBRATED.d0 },
    });
    const following = new Following();
    const { carried } = following.lookFor(150, [slowKv(3), slowKv(3.1), slowKv(2.9)]);
    expect(carried).toMatchObject([{ factors: { d0: 1.02, d1: 1, d2: 3, rc: 1 }, replicas: 3 }]);
    expect(following.profile.coefficients.d2).toBeCloseTo(3 * CALIBRATED.d2, 9);
    expect(new Following().lookFor(3600, [slowKv(3), slowKv(1), slowKv(1)]).carried).toEqual([]);
  });

  it('follows the only one after a quarter of an hour', () => {
    const following = new Following();
    expect(following.lookFor(900, [replica(1.4)]).scales).toEqual([]);
    expect(following.lookFor(30, [replica(1.4)]).scales).toEqual([1.4]);
  });

  it('stays where one of several is slow, where each says something else, and where nobody says anything', () => {
    expect(new Following().lookFor(3600, [replica(2), replica(1), replica(1.05), replica(0.98)]).scales).toEqual([]);
    expect(new Following().lookFor(3600, [replica(2), replica(1)]).scales).toEqual([]);
    expect(new Following().lookFor(3600, [replica(3), replica(2), replica(1)]).scales).toEqual([]);
    expect(new Following().lookFor(3600, [replica(null), { ...replica(2), model: 'other' }]).scales).toEqual([]);
    expect(new Following().lookFor(3600, [replica(Number.NaN), replica(0)]).scales).toEqual([]);
  });

  it('follows the most of them where one is slower still', () => {
    expect(new Following().lookFor(150, [replica(1.5), replica(1.5), replica(4)]).scales).toEqual([1.5]);
  });

  it('stays where steps are about as long as calibrated, and where they are not so for long enough at a time', () => {
    expect(new Following().lookFor(3600, [replica(1.1), replica(1.08)]).scales).toEqual([]);
    const following = new Following();
    for (let i = 0; i < 20; i++) {
      expect(following.lookFor(60, [replica(1.6), replica(1.6)]).scales).toEqual([]);
      expect(following.lookFor(20, [replica(1), replica(1)]).scales).toEqual([]);
    }
  });

  it('is never more than twice or less than half of its calibration', () => {
    const following = new Following();
    expect(following.lookFor(1200, [replica(5), replica(5)]).scales).toEqual([2]);
    expect(following.lookFor(1200, [replica(0.1), replica(0.1)]).scales).toEqual([0.5]);
    expect(following.scale).toBeCloseTo(0.5);
  });

  it('goes back to the calibration when steps take again what it says, and its correction ends', () => {
    const following = new Following();
    const [first] = following.lookFor(150, [replica(1.5), replica(1.5)]).carried;
    const back = following.lookFor(150, [replica(1.02), replica(0.99)]);
    expect(back.scales).toEqual([1]);
    expect(back.end).toEqual([{ correctionId: first!.correctionId, reason: 'steps take again what calibration found' }]);
    expect(following.profile.coefficients).toEqual(CALIBRATED);
    expect(following.lookFor(600, [replica(1), replica(1)])).toEqual({ scales: [], carried: [], end: [] });
  });

  it('ends one correction before it makes another', () => {
    const following = new Following();
    const [first] = following.lookFor(150, [replica(1.3), replica(1.3)]).carried;
    const { carried, end } = following.lookFor(150, [replica(1.8), replica(1.8)]);
    expect(carried).toMatchObject([{ scale: 1.8 }]);
    expect(end).toMatchObject([{ correctionId: first!.correctionId, reason: expect.stringContaining('replaced') }]);
    expect(carried[0]!.correctionId).not.toBe(first!.correctionId);
  });

  it('begins anew from another calibration, which is not multiplied by what was learned of the last', () => {
    const following = new Following();
    const [first] = following.lookFor(150, [replica(2), replica(2)]).carried;
    following.profile = { ...following.profile, coefficients: multiplied(CALIBRATED, 1.9) };
    const { scales, end } = following.lookFor(300, [replica(2), replica(2)]);
    expect(scales).toEqual([]);
    expect(end).toEqual([{ correctionId: first!.correctionId, reason: 'it was calibrated anew' }]);
  });

  it('leaves alone what nobody calibrated, and forgets what is gone', () => {
    const following = new Following();
    following.profile = { ...following.profile, source: 'measured' };
    expect(following.lookFor(600, [replica(2), replica(2)]).scales).toEqual([]);
    expect(following.shapes).toEqual({});
  });
});
