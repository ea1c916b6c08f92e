import { describe, expect, it } from 'vitest';
import { canaryWeights } from './canary.ts';

describe('canaryWeights', () => {
  it.each([
    [5, 1, 2],
    [50, 2, 2],
    [99, 3, 1],
  ])('gives the new replicas %d %% together', (percent, fresh, old) => {
    const weights = canaryWeights(
      percent,
      Array.from({ length: fresh }, (_, i) => `new-${i}`),
      Array.from({ length: old }, (_, i) => `old-${i}`),
    );
    const sum = (prefix: string) => Object.entries(weights).reduce((total, [id, w]) => (id.startsWith(prefix) ? total + w : total), 0);
    expect((100 * sum('new')) / (sum('new') + sum('old'))).toBeCloseTo(percent, 9);
  });
});
