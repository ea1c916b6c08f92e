import { describe, expect, it } from 'vitest';
import { anObservation } from '../../test/support/observations.ts';
import { createRandom } from '../simulator/random.ts';
import { learn, type StoredObservation } from './learn.ts';
import { predictOutput } from './predict.ts';
import { COLD_START_SNAPSHOT, type ProfilerSnapshot, profilerSnapshotSchema } from './snapshot.ts';

/** p90 / median of a lognormal. */
const spreadOf = (sigma: number) => Math.exp(1.2816 * sigma);

/** Answers of one median in turn, each class's scattered about it as much as it says. */
function answersOf(scatter: readonly (readonly [string, number])[], count: number): StoredObservation[] {
  const random = createRandom('classes');
  const normal = () => Math.sqrt(-2 * Math.log(1 - random())) * Math.cos(2 * Math.PI * random());
  return Array.from({ length: count }, (_, i) => {
    const [name, sigma] = scatter[i % scatter.length]!;
    return { id: i + 1, ...anObservation(`r${i}`, { class: name, outputTokens: Math.round(300 * Math.exp(sigma * normal())) }) };
  });
}

const p90Of = (snapshot: ProfilerSnapshot, name: string) => predictOutput(snapshot, anObservation('x', { class: name })).p90;

describe('the p90 of a class', () => {
  it('is its own: wide where its answers scatter, narrow where they do not', () => {
    const { snapshot } = learn(
      COLD_START_SNAPSHOT,
      answersOf(
        [
          ['interactive', 0.15],
          ['batch', 1],
        ],
        600,
      ),
    );
    expect(p90Of(snapshot, 'interactive') / 300 / spreadOf(0.15)).toBeLessThan(1.2);
    expect(p90Of(snapshot, 'batch') / 300 / spreadOf(1)).toBeGreaterThan(0.75);
  });

  it('moves nothing apart where all answers are of one class', () => {
    const { snapshot } = learn(COLD_START_SNAPSHOT, answersOf([['batch', 0.5]], 600));
    expect(new Set(snapshot.shared.classes.offset90)).toEqual(new Set([0]));
    expect(p90Of(snapshot, 'never-seen') / 300).toBeLessThan(2 * spreadOf(0.5));
  });

  it.each([
    ['wild', 4],
    ['always long', 0],
  ])('is not moved by a tenant that comes to send most of its answers, their lengths %s', (_, wildness) => {
    const usual = answersOf(
      [
        ['interactive', 0.3],
        ['batch', 0.3],
      ],
      1100,
    );
    const poison = answersOf([['batch', wildness]], 1500).map((o) => ({
      ...o,
      tenant: 'acme',
      outputTokens: 100 * Math.max(1, o.outputTokens!),
    }));
    const mixed = poison.flatMap((o, i) => (i % 5 < 2 ? [o, usual[500 + 2 * Math.floor(i / 5) + (i % 5)]!] : [o]));
    const rows = [...usual.slice(0, 500), ...mixed].map((o, i) => ({ ...o, id: i + 1, requestId: `m${i}` }));
    const { snapshot } = learn(COLD_START_SNAPSHOT, rows);
    for (const name of ['interactive', 'batch']) {
      expect(p90Of(snapshot, name) / 300 / spreadOf(0.3)).toBeGreaterThan(0.8);
      expect(p90Of(snapshot, name) / 300 / spreadOf(0.3)).toBeLessThan(1.25);
    }
  });

  it('is that of all classes in snapshots of a release that did not tell them apart', () => {
    const { snapshot } = learn(COLD_START_SNAPSHOT, answersOf([['batch', 0.5]], 200));
    const { classes: _, ...older } = snapshot.shared;
    const read = profilerSnapshotSchema.parse(JSON.parse(JSON.stringify({ ...snapshot, shared: older, models: {} })));
    expect(p90Of(read, 'batch')).toBe(p90Of({ ...snapshot, models: {} }, 'batch'));
  });
});
