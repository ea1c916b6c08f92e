import { describe, expect, it } from 'vitest';
import type { PlaceMove } from './plan.ts';
import { type Declined, declinedInWords, fingerprintOf, type PresentBasis, whyOutdated } from './proposal.ts';

const basis = { revision: 2, generations: { r1: 3 } };
const present: PresentBasis = { mode: 'advise', revision: 2, generations: { r1: 3, r2: 1 }, rollout: null, movedSince: false };

describe('a proposal', () => {
  it.each<[string, Partial<PresentBasis>, RegExp | null]>([
    ['as it was', {}, null],
    ['that uellm may carry out by itself by now', { mode: 'auto' }, null],
    ['of a deployment in shadow', { mode: 'shadow' }, /shadow mode/],
    ['under a rollout', { rollout: 'chat-r3' }, /rollout chat-r3/],
    ['after a rollout', { revision: 3 }, /revision 2, 3 serves/],
    ['with nothing that serves', { revision: null }, /nothing serves/],
    ['whose replica is gone', { generations: { r2: 1 } }, /r1 is gone/],
    ['whose replica was started anew', { generations: { r1: 4 } }, /generation 4 now, not 3/],
    ['that others were before', { movedSince: true }, /another plan/],
  ])('%s', (_, change, why) => {
    const reason = whyOutdated(basis, { ...present, ...change });
    if (why) expect(reason).toMatch(why);
    else expect(reason).toBeNull();
  });

  it('that was declined says by whom, and for how long it is not made again', () => {
    const declined = { kind: 'rebalance', decidedBy: 'ann', decidedAt: '2026-01-01T08:00:00.000Z', outcome: 'too dear' } as const;
    const expiresAt = '2026-01-02T07:00:00.000Z';
    const at = (time: string, of: Partial<Declined> = {}) => declinedInWords({ ...declined, expiresAt, ...of }, Date.parse(time));
    expect(at('2026-01-01T09:00:00Z')).toBe(
      'declined by ann at 2026-01-01T08:00:00.000Z: too dear; the same is proposed again after 2026-01-02T07:00:00.000Z at the earliest, anything else with the next rebalance',
    );
    expect(at('2026-01-03T09:00:00Z', { outcome: '' })).toBe('declined by ann at 2026-01-01T08:00:00.000Z');
    expect(at('2026-01-01T09:00:00Z', { kind: 'reshape' })).toBe('declined by ann at 2026-01-01T08:00:00.000Z: too dear');
  });

  it('is known again by what it does', () => {
    const place = {
      ...{ kind: 'place', replicaId: 'a-1', deployment: 'chat', revision: 1, model: 'm', engine: 'vllm', host: 'h1', accelerators: [0] },
      ...{ acceleratorKind: 'L4', tensorParallel: 1, simulated: false, capacityRequestsPerSecond: 1, reason: 'more' },
    } as PlaceMove;
    const retire = { kind: 'retire', replicaId: 'r1', deployment: 'chat', host: 'h2', reason: 'fewer' } as const;
    expect(fingerprintOf([place, retire], 2)).toBe(
      fingerprintOf(
        [
          { ...retire, reason: '3.0 req/s' },
          { ...place, replicaId: 'b-9' },
        ],
        2,
      ),
    );
    // What was declined for three replicas may be right for four.
    expect(fingerprintOf([place], 2)).not.toBe(fingerprintOf([place], 3));
    expect(fingerprintOf([place], 2)).not.toBe(fingerprintOf([{ ...place, accelerators: [1] }], 2));
    expect(fingerprintOf([place], 2)).not.toBe(fingerprintOf([{ ...place, replaces: 'r1' }], 2));
  });
});
