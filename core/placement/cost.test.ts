import { describe, expect, it } from 'vitest';
import { costPerHour } from './cost.ts';

const prices = { byKind: { L40S: 1.55 }, byHost: { cheap: { L40S: 1 } } };

describe('costPerHour', () => {
  it('counts accelerators at the price of their host, else of the catalog', () => {
    const uses = [
      { host: 'cheap', acceleratorKind: 'L40S', accelerators: [0, 1] },
      { host: 'other', acceleratorKind: 'L40S', accelerators: [3] },
    ];
    expect(costPerHour(uses, prices)).toEqual({ usdPerHour: 3.55, unpriced: [] });
  });

  it('is unknown as soon as one kind has no price, and names it', () => {
    const uses = [
      { host: 'other', acceleratorKind: 'L40S', accelerators: [0] },
      { host: 'other', acceleratorKind: 'T4', accelerators: [1] },
    ];
    expect(costPerHour(uses, prices)).toEqual({ usdPerHour: null, unpriced: ['T4'] });
  });

  it('is nothing for an empty fleet', () => {
    expect(costPerHour([], prices)).toEqual({ usdPerHour: 0, unpriced: [] });
  });
});
