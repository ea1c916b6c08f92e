import { describe, expect, it } from 'vitest';
import { isForgotten, rolledBack } from './roll-back.ts';
import { COLD_START_SNAPSHOT, type ProfilerSnapshot } from './snapshot.ts';

const snapshot = (version: number, trainedThroughId: number): ProfilerSnapshot => ({ ...COLD_START_SNAPSHOT, version, trainedThroughId });
const isForgottenBy = (by: ProfilerSnapshot) => (id: number) => isForgotten(by, id);

describe('a rollback', () => {
  it('forgets what came since, and nothing else', () => {
    const back = rolledBack(snapshot(3, 100), { version: 7, trainedThroughId: 180 });
    expect(back).toMatchObject({ version: 8, trainedThroughId: 180 });
    expect([100, 101, 180, 181].filter(isForgottenBy(back))).toEqual([101, 180]);
  });

  it('keeps what earlier ones forgot, unless it goes back to before them', () => {
    const first = rolledBack(snapshot(3, 100), { version: 7, trainedThroughId: 180 });
    const later = { ...first, version: 9, trainedThroughId: 250 };
    const second = rolledBack(later, { version: 12, trainedThroughId: 300 });
    expect([101, 200, 260, 301].filter(isForgottenBy(second))).toEqual([101, 260]);
    const before = rolledBack(snapshot(2, 50), { version: 13, trainedThroughId: 300 });
    expect(before.forgotten).toEqual([{ after: 50, through: 300 }]);
  });

  it('forgets nothing where nothing came since, and stays small however often it is done', () => {
    expect(rolledBack(snapshot(3, 100), { version: 4, trainedThroughId: 100 }).forgotten).toEqual([]);
    let back = snapshot(1, 0);
    for (let i = 1; i <= 40; i++) back = rolledBack(back, { version: i, trainedThroughId: i });
    expect(back.forgotten).toHaveLength(16);
    expect(isForgotten(back, 40)).toBe(true);
  });
});
